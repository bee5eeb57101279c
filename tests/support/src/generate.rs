//! Headers for comparisons of readers: valid ones, and ones with one to three defects.

/// A header, and the text of its dictionary.
pub struct Generated {
    pub major: u8,
    pub text: Vec<u8>,
    pub is_changed: bool,
}

/// Returns the same headers for the same seed, every second one changed.
pub fn headers(count: usize, seed: u64) -> Vec<Generated> {
    let mut random = Random(seed);
    let mut header = |i: usize| {
        let major = random.pick(&[1, 1, 1, 2, 3]);
        let text = dictionary(&mut random);
        let is_changed = i % 2 == 1;
        let text = if is_changed { changed(text, &mut random) } else { text };
        let text = match major {
            3 => text.into_bytes(),
            _ => text.chars().map(|c| u8::try_from(c).unwrap_or(b'?')).collect(),
        };
        Generated { major, text, is_changed }
    };
    (0..count).map(&mut header).collect()
}

/// The splitmix64 generator.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn dictionary(random: &mut Random) -> String {
    let order = random.pick(&["True", "False"]);
    let mut entries = [
        format!("'descr': {}", descr(random, 0)),
        format!("'fortran_order': {order}"),
        format!("'shape': {}", shape(random, 6)),
    ];
    if random.one_in(4) {
        let (a, b) = (random.below(3), random.below(3));
        entries.swap(a, b);
    }
    let separator = random.pick(&[", ", ", ", ", ", ",", " ,\n "]);
    let mut text = format!("{{{}", entries.join(separator));
    text.push_str(random.pick(&[", }", ", }", ", }", "}", ",}", " } "]));
    if random.one_in(8) {
        text = text.replace('\'', "\"");
    }
    text.push_str(&" ".repeat(random.below(70)));
    text.push_str(random.pick(&["\n", "\n", "\n", ""]));
    text
}

fn shape(random: &mut Random, axes: usize) -> String {
    const LENGTHS: [&str; 12] =
        ["0", "1", "2", "3", "4", "7", "10", "64", "100", "1000", "65536", "4294967296"];
    let lengths: Vec<&str> =
        (0..random.below(axes)).map(|_| random.pick(&LENGTHS)).collect();
    match lengths[..] {
        [length] => format!("({length},)"),
        _ => format!("({})", lengths.join(random.pick(&[", ", ", ", ","]))),
    }
}

fn descr(random: &mut Random, depth: usize) -> String {
    if depth == 4 || random.below(10) < 6 + 2 * depth {
        return format!("'{}'", scalar(random));
    }
    let fields: Vec<String> = (0..=random.below(4))
        .map(|i| {
            if random.one_in(8) {
                return format!("('', '|V{}')", 1 + random.below(9));
            }
            let name = random.pick(&["x", "y", "id", "a b", "µ", "π", "it\\'s", "\\n"]);
            let name = match random.one_in(8) {
                true => format!("('title {i}', '{name}{i}')"),
                false => format!("'{name}{i}'"),
            };
            let dtype = descr(random, depth + 1);
            match random.one_in(4) {
                true => format!("({name}, {dtype}, {})", small_shape(random)),
                false => format!("({name}, {dtype})"),
            }
        })
        .collect();
    format!("[{}]", fields.join(", "))
}

fn small_shape(random: &mut Random) -> &'static str {
    random.pick(&["(3,)", "(2, 2)", "(1,)", "(1, 2, 3)", "(16,)"])
}

fn scalar(random: &mut Random) -> String {
    let order = random.pick(&['<', '<', '>']);
    match random.below(12) {
        0 => "|b1".to_owned(),
        1 => random.pick(&["|i1", "|u1"]).to_owned(),
        2 => format!("|{}{}", random.pick(&['S', 'V']), 1 + random.below(40)),
        3 => format!("{order}U{}", 1 + random.below(20)),
        4 => {
            let unit = random.pick(&[
                "[ns]", "[us]", "[ms]", "[s]", "[m]", "[h]", "[D]", "[W]", "[M]", "[Y]",
                "[25s]", "[10ns]", "[2as]", "[7fs]", "[ps]", "",
            ]);
            format!("{order}{}8{unit}", random.pick(&['M', 'm']))
        }
        5 => format!("{order}c{}", random.pick(&[8, 16])),
        6 | 7 => format!("{order}f{}", random.pick(&[2, 4, 8])),
        _ => format!("{order}{}{}", random.pick(&['i', 'u']), random.pick(&[2, 4, 8])),
    }
}

#[rustfmt::skip]
const ODD: [&str; 56] = [
    "(", ")", "[", "]", "{", "}", ",", ":", "'", "\"", "\\", " ", "\n", "\r", "\t", "\0", "#", "+",
    "-", "*", ".", "...", "L", "0", "00", "07", "-1", "-0", "1.5", "1e3", "3j", "0x10", "1_0", "3L",
    "99999999999999999999", "True", "False", "None", "true", "''", "'x'", "b'x'", "u'x'", "r'x'",
    "'|O'", "'f8'", "'<U0'", "'|V0'", "'=i4'", "'|f8'", "'<f16'", "'<i16'", "'float64'", "()", "[]", "{}",
];

/// Changes one to three places: characters or whole tokens.
fn changed(mut text: String, random: &mut Random) -> String {
    for _ in 0..random.pick(&[1, 1, 2, 3]) {
        let mut tokens = tokens(&text);
        let (at, other) = (random.below(tokens.len()), random.below(tokens.len()));
        match random.below(9) {
            0 => drop(tokens.remove(at)),
            1 => tokens.insert(at, tokens[at].clone()),
            2 => tokens.swap(at, other),
            3 => tokens.insert(at, random.pick(&ODD).to_owned()),
            4 => tokens[at] = random.pick(&ODD).to_owned(),
            5 => tokens[at] = tokens[other].clone(),
            kind => {
                text = with_other_character(&text, kind, random);
                continue;
            }
        }
        text = tokens.concat();
        if text.is_empty() {
            text.push(' ');
        }
    }
    text
}

fn with_other_character(text: &str, kind: usize, random: &mut Random) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    // Few of the changes are in the spaces at the end.
    let at = random.below(text.trim_end().chars().count().max(1));
    match kind {
        6 => drop(characters.remove(at)),
        7 => characters.insert(at, characters[at]),
        _ => {
            let code = u32::from(characters[at]) ^ (1 << random.below(7));
            characters[at] = char::from_u32(code).unwrap();
        }
    }
    characters.into_iter().collect()
}

/// Splits a text into strings, words, numbers, runs of blanks and single marks.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens: Vec<String> = Vec::new();
    let (mut last, mut quote) = (' ', None);
    for c in text.chars() {
        let kind = |c: char| match c {
            ' ' => 1,
            c if c.is_alphanumeric() || c == '_' => 2,
            _ => 0,
        };
        let goes_on = quote.is_some() || kind(c) > 0 && kind(c) == kind(last);
        match tokens.last_mut() {
            Some(token) if goes_on => token.push(c),
            _ => tokens.push(c.to_string()),
        }
        let is_quote = matches!(c, '\'' | '"');
        match quote {
            Some(open) if c == open && last != '\\' => quote = None,
            None if is_quote => quote = Some(c),
            _ => {}
        }
        last = if is_quote { '\'' } else { c };
    }
    tokens
}
