//! Parsing headers: by length, and with nested brackets, which slow down other parsers.

use std::hint::black_box;
use std::time::{Duration, Instant};

use bench_common::{Pace, Section, Target, Way};
use ndarray_memmap::ErrorKind;
use ndarray_memmap::npy::{Header, Version};

/// The bytes of all headers that one run parses; a nanosecond a byte is 1 ms.
const TOTAL: usize = 1_000_000;
/// Long headers leave the caches. If the time of a byte grew with the length, ten times the
/// length would give ten times the ratio.
const LINEAR: Target = Target::AtMost(4.0);

/// Headers to parse.
pub(crate) struct Headers {
    kinds: [Kind; 3],
    plain: Vec<u8>,
    nested: [(&'static str, Vec<u8>); 2],
}

/// Headers of increasing length, with one kind of content.
struct Kind {
    name: &'static str,
    headers: Vec<(String, Vec<u8>)>,
}

impl Headers {
    pub(crate) fn make() -> Self {
        let lengths = LENGTHS.get(..bench_common::size(5, 2)).unwrap_or_default();
        let kind = |name, dictionary: fn(usize) -> String| {
            let header =
                |&len: &usize| (format!("{len} B"), framed(&dictionary(len), len));
            Kind { name, headers: lengths.iter().map(header).collect() }
        };
        let open = "(".repeat(18);
        let closed = format!("{open}1{}", ")".repeat(18));
        let nested = |shape: &str| framed(&plain("'<f8'", shape), 118);
        Self {
            kinds: [
                kind("fields", fields),
                kind("axes", axes),
                kind("spaces", |_| plain("'<f8'", "(2, 3)")),
            ],
            plain: framed(&plain("'<f8'", "(2, 3)"), 118),
            nested: [
                ("18 parentheses", nested(&closed)),
                ("18 of them left open", nested(&open)),
            ],
        }
    }

    /// Panics if nested brackets make parsing slow.
    pub(crate) fn refuse_nesting_fast(&self) {
        for (name, header) in &self.nested {
            let times = (0..10).map(|_| {
                let start = Instant::now();
                refuse(header);
                start.elapsed()
            });
            let time = times.min().unwrap_or(Duration::MAX);
            assert!(time < Duration::from_micros(100), "{name} take {time:?}");
        }
    }

    pub(crate) fn sections(&self) -> Vec<Section<'_>> {
        let lengths = self.kinds.iter().map(|Kind { name, headers }| {
            let ways = headers.iter().enumerate().map(|(i, (len, bytes))| {
                let target = if i == 0 { Target::Unset } else { LINEAR };
                Way::new(len, || parse_all(bytes)).target(target)
            });
            let name = format!("npy: parsing 1 MB of headers of {name}, by length");
            Section::new(name, Pace::Milli, ways.collect())
        });
        let plain = || {
            black_box(Header::parse(&self.plain)).expect("it is valid");
            0.0
        };
        let nested = self.nested.iter().map(|(name, header)| {
            Way::new(name, || refuse(header)).target(Target::AtMost(2.0))
        });
        let ways = [Way::new("plain", plain)].into_iter().chain(nested).collect();
        let nesting =
            Section::new("npy: parsing a header of 118 bytes", Pace::Micro, ways);
        lengths.chain([nesting]).collect()
    }
}

fn refuse(header: &[u8]) -> f64 {
    let refused = black_box(Header::parse(header));
    assert!(
        matches!(refused.as_ref().map_err(|e| e.kind()), Err(ErrorKind::Npy(_))),
        "{refused:?}"
    );
    0.0
}

const LENGTHS: [usize; 5] = [100, 1_000, 10_000, 100_000, 1_000_000];

/// Parses a header until `TOTAL` bytes are parsed; returns the number.
fn parse_all(bytes: &[u8]) -> f64 {
    let parse = |_| Header::parse_with_limit(bytes, u64::MAX).expect("it is valid");
    let offsets = (0..TOTAL / bytes.len()).map(parse).map(|h| h.data_offset());
    offsets.sum::<u64>() as f64
}

/// Returns a dictionary of at most `len` bytes with a record of many fields.
fn fields(len: usize) -> String {
    let field = |i| format!("('f{i:06}', '<f8'), ");
    let room = len - plain("[]", "(2, 3)").len() - FRAME;
    let fields: String = (0..room / field(0).len()).map(field).collect();
    plain(&format!("[{fields}]"), "(2, 3)")
}

/// Returns a dictionary of at most `len` bytes with a shape of many axes.
fn axes(len: usize) -> String {
    let room = len - plain("'<f8'", "()").len() - FRAME;
    plain("'<f8'", &format!("({})", "1, ".repeat(room / 3)))
}

fn plain(descr: &str, shape: &str) -> String {
    format!("{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")
}

/// The bytes before the dictionary, and the line feed after it.
const FRAME: usize = 13;

/// Makes a header of exactly `len` bytes.
fn framed(dictionary: &str, len: usize) -> Vec<u8> {
    let spaces = len.checked_sub(FRAME + dictionary.len()).expect("it is written");
    let text = format!("{dictionary}{}\n", " ".repeat(spaces));
    let mut bytes = b"\x93NUMPY\x02\x00".to_vec();
    bytes.extend(u32::try_from(text.len()).expect("it is short").to_le_bytes());
    bytes.extend(text.bytes());
    if let Ok(header) = Header::parse_with_limit(&bytes, u64::MAX) {
        assert_eq!(header.version(), Version::V2);
        assert_eq!(header.data_offset(), bytes.len() as u64);
    }
    bytes
}
