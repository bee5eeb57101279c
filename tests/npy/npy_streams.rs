//! Headers read from streams: nothing is read after the header, whatever the stream returns.

use std::io::{self, Cursor, ErrorKind::UnexpectedEof, Read};

use ndarray_memmap::npy::{self, Header, Version};
use ndarray_memmap::{ErrorKind, Mode, NpyErrorKind};
use test_support::Place;
use test_support::npy_common::{dictionary, file, raw};

/// Returns the bytes of a file of each version, whose header has `len` bytes.
fn of_version(major: u8, len: usize) -> Vec<u8> {
    let mut text = dictionary("'<u2'", 'F', "(2, 3)").into_bytes();
    text.resize(len, b' ');
    [raw(major, &text), b"elements and more".to_vec()].concat()
}

/// A stream that returns one byte at a time, with interrupts between the bytes.
struct Slow<R>(R, bool);

impl<R: Read> Read for Slow<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.1 = !self.1;
        if self.1 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let one = buffer.len().min(1);
        self.0.read(&mut buffer[..one])
    }
}

#[test]
fn the_stream_stops_at_the_first_element() {
    for (major, version) in [(1, Version::V1), (2, Version::V2), (3, Version::V3)] {
        for len in [60, 118, 1011, 1012, 1013, 1014, 5000, 10_000] {
            let bytes = of_version(major, len);
            let expected = Header::parse(&bytes).unwrap();
            assert_eq!((expected.version(), expected.shape()), (version, &[2, 3][..]));

            let mut stream = Cursor::new(&bytes);
            assert_eq!(Header::read_from(&mut stream).unwrap(), expected);
            assert_eq!(stream.position(), expected.data_offset(), "{major} {len}");
            let mut slow = Slow(Cursor::new(&bytes), false);
            assert_eq!(Header::read_from(&mut slow).unwrap(), expected);
            assert_eq!(slow.0.position(), expected.data_offset(), "{major} {len}");
            let mut rest = String::new();
            let _ = slow.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "elements and more");

            // A file is read from its position, and not from its start.
            let place = Place::of(&[b"before", &bytes[..]].concat());
            let mut file = place.file();
            file.read_exact(&mut [0; 6]).unwrap();
            assert_eq!(Header::read_from(&file).unwrap(), expected);
            let mut rest = String::new();
            let _ = file.read_to_string(&mut rest).unwrap();
            assert_eq!(rest, "elements and more");
        }
    }
}

#[test]
fn several_files_follow_each_other_in_a_stream() {
    let one = file("'|u1'", 'C', "(3,)", &[1, 2, 3]);
    let two = file("'<u2'", 'C', "(1,)", &[4, 0]);
    let all = [one, two].concat();
    let mut stream = &all[..];
    let mut elements = Vec::new();
    for size in [3, 2] {
        let header = Header::read_from(&mut stream).unwrap();
        let mut bytes = vec![0; header.dtype().size() * header.shape()[0]];
        assert_eq!(bytes.len(), size);
        stream.read_exact(&mut bytes).unwrap();
        elements.push(bytes);
    }
    assert_eq!(elements, [vec![1, 2, 3], vec![4, 0]]);
    let error = Header::read_from(&mut stream).unwrap_err();
    let text = "the file ends in its magic string: expected 8 bytes, found 0 (the file is \
                empty)";
    assert_eq!(error.to_string(), text);
}

#[test]
fn short_streams_are_refused_like_short_files() {
    for major in [1, 2, 3] {
        let bytes = of_version(major, 118);
        let end = usize::try_from(Header::parse(&bytes).unwrap().data_offset()).unwrap();
        for len in 0..end {
            let short = &bytes[..len];
            let error = Header::read_from(short).unwrap_err();
            assert!(
                matches!(error.kind(), ErrorKind::Npy(NpyErrorKind::Truncated { found, .. })
                    if *found == len as u64),
                "{major} {len}: {error:?}"
            );
            assert_eq!(error.to_string(), Header::parse(short).unwrap_err().to_string());
            let slow = Header::read_from(Slow(short, false)).unwrap_err();
            assert_eq!(slow.to_string(), error.to_string());
        }
        assert!(Header::read_from(&bytes[..end]).is_ok());
    }
}

#[test]
fn a_header_over_the_limit_is_refused_before_it_is_read() {
    for major in [1, 2, 3] {
        let bytes = of_version(major, 10_001);
        let mut stream = Cursor::new(&bytes);
        let error = Header::read_from(&mut stream).unwrap_err();
        assert!(
            matches!(
                error.kind(),
                ErrorKind::Npy(NpyErrorKind::HeaderTooLarge {
                    len: 10_001,
                    limit: 10_000
                })
            ),
            "{error:?}"
        );
        let prefix = if major == 1 { 10 } else { 12 };
        assert_eq!(stream.position(), prefix, "the header itself is not read");
        // The length that the header declares takes no memory.
        let endless = b"\x93NUMPY\x02\x00\xff\xff\xff\xff".chain(io::repeat(b' '));
        assert!(Header::read_from(endless).is_err());
    }
}

#[test]
fn the_limit_of_a_file_is_an_argument() {
    for major in [1, 2, 3] {
        for len in [60, 1011, 1014, 5000, 10_001, 65_535] {
            let bytes = of_version(major, len);
            let file = Place::of(&bytes).file();
            let limit = u64::try_from(len).unwrap();
            let header = Header::read_with_limit(&file, limit).unwrap();
            assert_eq!(header, Header::parse_with_limit(&bytes, limit).unwrap());
            assert_eq!(header, Header::read_with_limit(&file, u64::MAX).unwrap());
            for limit in [limit - 1, 0] {
                let error = Header::read_with_limit(&file, limit).unwrap_err();
                assert!(
                    matches!(
                        error.kind(),
                        ErrorKind::Npy(NpyErrorKind::HeaderTooLarge { limit: found, .. })
                            if *found == limit
                    ),
                    "{error:?}"
                );
            }
        }
    }
}

#[test]
fn an_error_of_the_stream_is_the_source() {
    struct Broken;

    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(UnexpectedEof, "the network is gone"))
        }
    }

    let header = of_version(1, 118);
    for len in [0, 7, 8, 10, 50] {
        let error = Header::read_from(header[..len].chain(Broken)).unwrap_err();
        let ErrorKind::Io { action: "read", source } = error.kind() else {
            panic!("{error:?}")
        };
        assert_eq!(source.to_string(), "the network is gone");
        assert_eq!(error.path(), None);
    }
}

#[test]
fn a_path_is_known_of_headers_and_of_arrays_of_unknown_type() {
    let place = Place::of(&file("'<u2'", 'C', "(2, 1)", &[1, 0, 2, 0]));
    assert_eq!(Header::open(&place).unwrap().shape(), [2, 1]);
    let missing = Header::open(place.folder().join("missing")).unwrap_err();
    assert!(missing.path().is_some_and(|path| path.ends_with("missing")), "{missing}");
    // SAFETY: no other code uses the file.
    let a = unsafe { npy::DynArray::open(&place, Mode::ReadOnly) }.unwrap();
    assert_eq!((a.ndim(), a.path()), (2, Some(place.path())));
}
