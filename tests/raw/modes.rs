//! The result of each mode for each kind of file: the array, its changes, the bytes of the file.

use std::io;

use ndarray::{Dimension, IxDyn, array};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::{Advice, ErrorKind, MapOptions, Mode};
use test_support::{Place, open};

const MODES: [Mode; 5] = [ReadOnly, CopyOnWrite, ReadWrite, Create, CreateNew];

/// The result of opening an array of four bytes and setting the second to 9.
enum Then {
    Refused(io::ErrorKind),
    /// The array when opened, and the bytes of the file after the change.
    Opened(&'static [u8; 4], &'static [u8]),
}
use Then::{Opened, Refused};
use std::io::ErrorKind::{AlreadyExists, NotFound, UnexpectedEof};

type Row = (Mode, Option<&'static [u8]>, Then);

#[rustfmt::skip]
const AT_THE_START: [Row; 25] = [
    (ReadOnly,    None,                      Refused(NotFound)),
    (ReadOnly,    Some(b""),                 Refused(UnexpectedEof)),
    (ReadOnly,    Some(&[1, 2]),             Refused(UnexpectedEof)),
    (ReadOnly,    Some(&[1, 2, 3, 4]),       Opened(&[1, 2, 3, 4], &[1, 2, 3, 4])),
    (ReadOnly,    Some(&[1, 2, 3, 4, 5, 6]), Opened(&[1, 2, 3, 4], &[1, 2, 3, 4, 5, 6])),
    (CopyOnWrite, None,                      Refused(NotFound)),
    (CopyOnWrite, Some(b""),                 Refused(UnexpectedEof)),
    (CopyOnWrite, Some(&[1, 2]),             Refused(UnexpectedEof)),
    (CopyOnWrite, Some(&[1, 2, 3, 4]),       Opened(&[1, 2, 3, 4], &[1, 2, 3, 4])),
    (CopyOnWrite, Some(&[1, 2, 3, 4, 5, 6]), Opened(&[1, 2, 3, 4], &[1, 2, 3, 4, 5, 6])),
    (ReadWrite,   None,                      Refused(NotFound)),
    (ReadWrite,   Some(b""),                 Refused(UnexpectedEof)),
    (ReadWrite,   Some(&[1, 2]),             Refused(UnexpectedEof)),
    (ReadWrite,   Some(&[1, 2, 3, 4]),       Opened(&[1, 2, 3, 4], &[1, 9, 3, 4])),
    (ReadWrite,   Some(&[1, 2, 3, 4, 5, 6]), Opened(&[1, 2, 3, 4], &[1, 9, 3, 4, 5, 6])),
    (Create,      None,                      Opened(&[0, 0, 0, 0], &[0, 9, 0, 0])),
    (Create,      Some(b""),                 Opened(&[0, 0, 0, 0], &[0, 9, 0, 0])),
    (Create,      Some(&[1, 2]),             Opened(&[0, 0, 0, 0], &[0, 9, 0, 0])),
    (Create,      Some(&[1, 2, 3, 4]),       Opened(&[0, 0, 0, 0], &[0, 9, 0, 0])),
    (Create,      Some(&[1, 2, 3, 4, 5, 6]), Opened(&[0, 0, 0, 0], &[0, 9, 0, 0])),
    (CreateNew,   None,                      Opened(&[0, 0, 0, 0], &[0, 9, 0, 0])),
    (CreateNew,   Some(b""),                 Refused(AlreadyExists)),
    (CreateNew,   Some(&[1, 2]),             Refused(AlreadyExists)),
    (CreateNew,   Some(&[1, 2, 3, 4]),       Refused(AlreadyExists)),
    (CreateNew,   Some(&[1, 2, 3, 4, 5, 6]), Refused(AlreadyExists)),
];

#[rustfmt::skip]
const AT_BYTE_TWO: [Row; 14] = [
    (ReadOnly,    Some(&[1, 2, 3]),                Refused(UnexpectedEof)),
    (ReadOnly,    Some(&[1, 2, 3, 4, 5, 6]),       Opened(&[3, 4, 5, 6], &[1, 2, 3, 4, 5, 6])),
    (CopyOnWrite, Some(&[1, 2, 3, 4, 5]),          Refused(UnexpectedEof)),
    (CopyOnWrite, Some(&[1, 2, 3, 4, 5, 6, 7]),    Opened(&[3, 4, 5, 6], &[1, 2, 3, 4, 5, 6, 7])),
    (ReadWrite,   Some(&[1, 2, 3, 4, 5]),          Refused(UnexpectedEof)),
    (ReadWrite,   Some(&[1, 2, 3, 4, 5, 6, 7, 8]), Opened(&[3, 4, 5, 6], &[1, 2, 3, 9, 5, 6, 7, 8])),
    (Create,      None,                            Opened(&[0, 0, 0, 0], &[0, 0, 0, 9, 0, 0])),
    (Create,      Some(b""),                       Opened(&[0, 0, 0, 0], &[0, 0, 0, 9, 0, 0])),
    (Create,      Some(&[1]),                      Opened(&[0, 0, 0, 0], &[0, 0, 0, 9, 0, 0])),
    (Create,      Some(&[1, 2, 3, 4]),             Opened(&[0, 0, 0, 0], &[0, 0, 0, 9, 0, 0])),
    (Create,      Some(&[1, 2, 3, 4, 5, 6]),       Opened(&[0, 0, 0, 0], &[0, 0, 0, 9, 0, 0])),
    (Create,      Some(&[1, 2, 3, 4, 5, 6, 7, 8]), Opened(&[0, 0, 0, 0], &[0, 0, 0, 9, 0, 0])),
    (CreateNew,   None,                            Opened(&[0, 0, 0, 0], &[0, 0, 0, 9, 0, 0])),
    (CreateNew,   Some(b""),                       Refused(AlreadyExists)),
];

/// The same with `grow(true)`: only mode `r+` accepts shorter files, and extends them with zeros.
#[rustfmt::skip]
const GROWING: [Row; 11] = [
    (ReadOnly,    Some(&[1, 2]),             Refused(UnexpectedEof)),
    (CopyOnWrite, Some(&[1, 2]),             Refused(UnexpectedEof)),
    (ReadWrite,   None,                      Refused(NotFound)),
    (ReadWrite,   Some(b""),                 Opened(&[0, 0, 0, 0], &[0, 9, 0, 0])),
    (ReadWrite,   Some(&[1]),                Opened(&[1, 0, 0, 0], &[1, 9, 0, 0])),
    (ReadWrite,   Some(&[1, 2, 3]),          Opened(&[1, 2, 3, 0], &[1, 9, 3, 0])),
    (ReadWrite,   Some(&[1, 2, 3, 4]),       Opened(&[1, 2, 3, 4], &[1, 9, 3, 4])),
    (ReadWrite,   Some(&[1, 2, 3, 4, 5, 6]), Opened(&[1, 2, 3, 4], &[1, 9, 3, 4, 5, 6])),
    (Create,      Some(&[1, 2]),             Opened(&[0, 0, 0, 0], &[0, 9, 0, 0])),
    (CreateNew,   None,                      Opened(&[0, 0, 0, 0], &[0, 9, 0, 0])),
    (CreateNew,   Some(&[1, 2]),             Refused(AlreadyExists)),
];

/// Opens the file of each row, checks the array, changes it, and checks the file.
fn run(rows: &[Row], options: impl Fn(MapOptions) -> MapOptions) {
    #[cfg(target_os = "linux")]
    let is_mappable = test_support::maps_for_writing(std::env::temp_dir());
    for (mode, start, then) in rows {
        let options = options(MapOptions::new(*mode)).shape(4);
        let case = format!("{options:?} of {start:?}");
        let place = start.map_or_else(Place::missing, Place::of);
        let opened = open::<u8, _>(&options, &place);
        let (seen, file) = match then {
            Opened(seen, file) => (seen, file),
            Refused(kind) => {
                let error = opened.map(drop).unwrap_err();
                assert_eq!(io::Error::from(error).kind(), *kind, "{case}");
                assert_eq!(place.bytes().as_deref(), *start, "{case}");
                continue;
            }
        };
        #[cfg(target_os = "linux")]
        if !matches!(mode, ReadOnly | CopyOnWrite) && !is_mappable {
            test_support::assert_unmappable(&opened.map(drop).unwrap_err());
            assert_eq!(place.bytes().as_deref(), *start, "{case}");
            continue;
        }
        let mut a = opened.expect(&case);
        assert_eq!(a.as_slice(), Some(&seen[..]), "{case}");
        assert_eq!(a.mode(), *mode, "{case}");

        let changed = usize::try_from(a.offset()).unwrap() + 1;
        let mut unchanged = file.to_vec();
        if !matches!(mode, ReadOnly | CopyOnWrite) {
            unchanged[changed] = seen[1];
        }
        // On other systems than Unix, other handles cannot read locked bytes.
        if cfg!(unix) {
            assert_eq!(place.bytes().unwrap(), unchanged, "{case}");
        }

        let mut after = **seen;
        if *mode == ReadOnly {
            assert!(
                matches!(
                    a.view_mut().as_ref().map_err(|e| e.kind()),
                    Err(ErrorKind::ReadOnly)
                ),
                "{case}"
            );
        } else {
            a.view_mut().unwrap()[1] = 9;
            after[1] = 9;
        }
        assert_eq!(a.as_slice(), Some(&after[..]), "{case}");
        drop(a);
        assert_eq!(place.bytes().unwrap(), *file, "{case}");
    }
}

#[test]
fn each_mode_does_as_its_row_says() {
    run(&AT_THE_START, |options| options);
}

#[test]
fn an_offset_moves_the_array_and_nothing_else() {
    run(&AT_BYTE_TWO, |options| options.offset(2));
}

#[test]
fn only_mode_read_write_grows_and_only_when_asked() {
    run(&GROWING, |options| options.grow(true));
    run(&AT_THE_START, |options| options.grow(false));
}

#[test]
fn options_of_space_speed_and_locks_change_no_byte() {
    let advice = [
        Advice::Normal,
        Advice::Sequential,
        Advice::Random,
        Advice::WillNeed,
        Advice::HugePage,
    ];
    for (rows, offset, grow) in
        [(&AT_THE_START[..], 0, false), (&AT_BYTE_TWO, 2, false), (&GROWING, 0, true)]
    {
        let plain = |options: MapOptions| options.offset(offset).grow(grow);
        run(rows, |options| plain(options).sparse(true));
        run(rows, |options| plain(options).populate(true));
        run(rows, |options| plain(options).lock(true));
        for advice in advice {
            run(rows, |options| plain(options).advice(advice));
        }
        run(rows, |options| {
            plain(options).sparse(true).populate(true).lock(true).advice(Advice::Random)
        });
    }
}

#[test]
fn copy_on_write_keeps_its_changes_to_itself() {
    let start: Vec<u8> = (0..=255).cycle().take(20_000).collect();
    let place = Place::of(&start);
    let options = MapOptions::new(CopyOnWrite);
    let mut a = open::<u8, _>(&options, &place).unwrap();
    let b = open::<u8, _>(&options, &place).unwrap();
    a.view_mut().unwrap().fill(7);
    assert!(a.iter().all(|&x| x == 7));
    assert_eq!(b.as_slice(), Some(&start[..]));
    assert!(matches!(
        a.sync().as_ref().map_err(|e| e.kind()),
        Err(ErrorKind::PrivateChanges)
    ));
    assert_eq!(place.bytes().unwrap(), start);
    drop(a);
    assert_eq!(place.bytes().unwrap(), start);
}

#[cfg(unix)]
#[test]
fn copy_on_write_needs_permission_to_read_only() {
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt;

    let place = Place::of(&[1, 2, 3]);
    fs::set_permissions(&place, Permissions::from_mode(0o444)).unwrap();
    let mut a = open::<u8, _>(&MapOptions::new(CopyOnWrite), &place).unwrap();
    a.view_mut().unwrap()[0] = 9;
    assert_eq!(*a, array![9, 2, 3]);
    assert_eq!(place.bytes().unwrap(), [1, 2, 3]);

    // A read-only descriptor also restricts the superuser.
    let file = File::open(&place).unwrap();
    let mut a = test_support::map::<u8, _>(&MapOptions::new(CopyOnWrite), &file).unwrap();
    a.view_mut().unwrap()[1] = 9;
    assert_eq!(*a, array![1, 9, 3]);
    for mode in [ReadWrite, Create] {
        let options = MapOptions::new(mode).shape(3);
        let refused = test_support::map::<u8, _>(&options, &file).map(drop).unwrap_err();
        assert!(matches!(refused.kind(), ErrorKind::Io { .. }), "{refused}");
        assert_eq!(place.bytes().unwrap(), [1, 2, 3]);
    }
}

#[cfg(unix)]
#[test]
fn create_keeps_the_inode_its_links_and_permissions() {
    use std::fs::{self, Permissions};
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    for (len, sparse) in [(2, false), (2, true), (9000, false), (9000, true)] {
        let place = Place::of(&vec![1; len]);
        fs::set_permissions(&place, Permissions::from_mode(0o640)).unwrap();
        let link = place.folder().join("link");
        fs::hard_link(&place, &link).unwrap();
        // FUSE may give a file another inode number once no process has it open.
        let _open = place.file();
        let before = fs::metadata(&place).unwrap();

        let options = MapOptions::new(Create).sparse(sparse).shape(5000);
        let a = open::<u8, _>(&options, &place);
        #[cfg(target_os = "linux")]
        if !test_support::maps_for_writing(place.folder()) {
            test_support::assert_unmappable(&a.map(drop).unwrap_err());
            assert_eq!(fs::read(&link).unwrap(), vec![1; len]);
            continue;
        }
        let mut a = a.unwrap();
        a.view_mut().unwrap()[4999] = 1;
        drop(a);
        let after = fs::metadata(&place).unwrap();
        let facts = |m: &fs::Metadata| (m.ino(), m.mode(), m.uid());
        assert_eq!(facts(&after), facts(&before));
        assert_eq!(after.nlink(), 2);
        let mut expected = vec![0; 5000];
        expected[4999] = 1;
        // bindfs shows another name as another file.
        #[cfg(target_os = "linux")]
        if test_support::file_system(&link) == "fuse" {
            place.assert_holds(&expected);
            continue;
        }
        assert_eq!(fs::read(&link).unwrap(), expected);
    }
}

#[test]
fn empty_arrays_take_no_byte() {
    type Row = (Mode, u64, Option<&'static [u8]>, &'static [u8]);
    #[rustfmt::skip]
    let rows: [Row; 13] = [
        (ReadOnly,    0, Some(b""),   b""),
        (ReadOnly,    2, Some(b"ab"), b"ab"),
        (CopyOnWrite, 0, Some(b""),   b""),
        (CopyOnWrite, 1, Some(b"ab"), b"ab"),
        (ReadWrite,   0, Some(b""),   b""),
        (ReadWrite,   0, Some(b"ab"), b"ab"),
        (ReadWrite,   2, Some(b"ab"), b"ab"),
        (Create,      0, None,        b""),
        (Create,      0, Some(b""),   b""),
        (Create,      0, Some(b"ab"), b""),
        (Create,      3, Some(b"ab"), b"\0\0\0"),
        (CreateNew,   0, None,        b""),
        (CreateNew,   3, None,        b"\0\0\0"),
    ];
    for (mode, offset, start, file) in rows {
        for (shape, size) in [(&[0][..], 1), (&[0, 5], 2), (&[3, 0, 2], 3)] {
            let place = start.map_or_else(Place::missing, Place::of);
            let options = MapOptions::new(mode).offset(offset).shape(IxDyn(shape));
            let mut a = open::<u64, _>(&options, &place).unwrap();
            assert_eq!((a.shape(), a.ndim(), a.len()), (shape, size, 0));
            assert_eq!(a.sum(), 0);
            assert_eq!((a.offset(), a.layout().end()), (offset, offset));
            if mode != ReadOnly {
                a.view_mut().unwrap().fill(1);
            }
            if mode != CopyOnWrite {
                a.sync().unwrap();
            }
            drop(a);
            assert_eq!(place.bytes().unwrap(), file, "{mode} at {offset} of {start:?}");
        }
    }
}

#[test]
fn without_a_shape_the_array_takes_the_rest_of_the_file() {
    let bytes: Vec<u8> = (0..24).collect();
    #[rustfmt::skip]
    let rows: [(u64, &[u32]); 4] = [
        (0,  &[0x0302_0100, 0x0706_0504, 0x0b0a_0908, 0x0f0e_0d0c, 0x1312_1110, 0x1716_1514]),
        (16, &[0x1312_1110, 0x1716_1514]),
        (20, &[0x1716_1514]),
        (24, &[]),
    ];
    for (offset, values) in rows {
        let mut modes = vec![ReadOnly, CopyOnWrite, ReadWrite];
        #[cfg(target_os = "linux")]
        test_support::keep_mappable(&mut modes, std::env::temp_dir());
        for mode in modes {
            let place = Place::of(&bytes);
            let a = open::<u32, _>(&MapOptions::new(mode).offset(offset), &place);
            let a = a.unwrap();
            assert!(a.iter().map(|x| u32::from_le(*x)).eq(values.iter().copied()));
            assert_eq!(a.raw_dim().slice(), [values.len()]);
            assert_eq!(place.bytes().unwrap(), bytes);
        }
    }
}

#[test]
fn modes_print_and_parse_as_numpy_names_them() {
    #[rustfmt::skip]
    let rows = [
        (ReadOnly,    "r",  Some("readonly")),
        (CopyOnWrite, "c",  Some("copyonwrite")),
        (ReadWrite,   "r+", Some("readwrite")),
        (Create,      "w+", Some("write")),
        (CreateNew,   "x+", None),
    ];
    assert_eq!(rows.map(|(mode, ..)| mode), MODES);
    for (mode, short, long) in rows {
        assert_eq!(mode.to_string(), short);
        assert_eq!(format!("{mode:>4}|{mode:<3}|"), format!("{short:>4}|{short:<3}|"));
        assert_eq!(short.parse::<Mode>().unwrap(), mode);
        assert!(long.is_none_or(|long| long.parse::<Mode>().unwrap() == mode));
    }
    for name in ["", "R", "w", "a", "r +", " r", "r+ ", "rw", "x", "Readonly", "créer"] {
        match name.parse::<Mode>().map_err(ndarray_memmap::Error::into_kind) {
            Err(ErrorKind::UnknownMode { name: found }) => assert_eq!(found, name),
            other => panic!("{name:?} gives {other:?}"),
        }
    }
}
