//! Parses arbitrary headers; an accepted header can be written, and parses to the same header.
#![no_main]

mod spelled;

use libfuzzer_sys::{Corpus, fuzz_target};
use ndarray_memmap::npy::{DType, Header, Version};

fuzz_target!(|input: &[u8]| -> Corpus {
    let file = spelled::file(input);
    let (found, uncapped) =
        (Header::parse(&file), Header::parse_with_limit(&file, u64::MAX));
    if let Ok(found) = &found {
        assert_eq!(uncapped.as_ref().ok(), Some(found));
    }
    let Ok(header) = uncapped else { return Corpus::Keep };
    let offset = usize::try_from(header.data_offset()).expect("offsets are small");
    assert!(offset <= file.len());
    // The bytes after the header make no difference.
    assert_eq!(
        Header::parse_with_limit(&file[..offset], u64::MAX).ok().as_ref(),
        Some(&header)
    );

    let dtype = header.dtype();
    assert!(dtype.size() > 0 && isize::try_from(dtype.size()).is_ok());
    assert_eq!(dtype.to_string().parse::<DType>().ok().as_ref(), Some(dtype));

    let written = Header::new(dtype.clone(), header.shape(), header.order());
    let Ok(written) = written else {
        assert!(header.shape().len() > 64, "{header:?}: {written:?}");
        return Corpus::Keep;
    };
    assert_eq!(written.dtype(), dtype);
    assert_eq!(written.shape(), header.shape());
    assert_eq!(written.fortran_order(), header.fortran_order());
    comes_back(&written);
    // A header that an older version can encode can also be encoded by the newest.
    comes_back(&written.with_version(Version::V3).expect("all texts are UTF-8"));
    if let Ok(header) = header.clone().with_version(header.version()) {
        comes_back(&header);
    }
    Corpus::Keep
});

/// Writes a header and parses it again.
fn comes_back(header: &Header) {
    let mut bytes = Vec::new();
    header.write(&mut bytes).expect("it was checked when it was made");
    assert_eq!(u64::try_from(bytes.len()).ok(), Some(header.data_offset()));
    assert_eq!(bytes.len() % 64, 0);
    assert_eq!(Header::parse_with_limit(&bytes, u64::MAX).ok().as_ref(), Some(header));
}
