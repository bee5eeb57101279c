//! Turns inputs of the fuzzer into `.npy` files; parses nothing.

/// Returns a `.npy` file for an input that does not begin as one.
///
/// Most mutations change the length of the dictionary, so that real files seldom stay valid.
/// Other inputs contain the version in the first byte, the dictionary up to a line break, and
/// the elements. Every length is then right, and the elements are aligned unless the first
/// byte requests another offset.
pub fn file(input: &[u8]) -> Vec<u8> {
    let (Some(&first), false) = (input.first(), is_raw(input)) else {
        return input.to_vec();
    };
    let major = first % 3 + 1;
    let prefix = if major == 1 { 10 } else { 12 };
    let skew = usize::from(first / 3 % 8);
    let rest = &input[1..];
    let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
    let (text, elements) = rest.split_at(end);
    let elements = elements.get(1..).unwrap_or_default();

    let unpadded = prefix + text.len() + 1;
    let len = unpadded.next_multiple_of(64) + skew - prefix;
    let mut file = b"\x93NUMPY".to_vec();
    file.extend([major, 0]);
    let length = u32::try_from(len).expect("inputs are short").to_le_bytes();
    file.extend(&length[..prefix - 8]);
    file.extend(text);
    file.resize(prefix + len - 1, b' ');
    file.push(b'\n');
    file.extend(elements);
    file
}

/// Returns whether an input begins like a `.npy` file or an archive of files.
fn is_raw(input: &[u8]) -> bool {
    input.starts_with(b"\x93") || input.starts_with(b"PK")
}
