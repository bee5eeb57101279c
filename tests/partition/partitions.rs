//! Windows cover the whole array and nothing else; each maps the pages of its own rows only.

use ndarray::{ArrayD, Axis, Dimension, Ix2, Ix3, IxDyn, ShapeBuilder, arr2};
use ndarray_memmap::Mode::{CopyOnWrite, Create, CreateNew, ReadOnly, ReadWrite};
use ndarray_memmap::npy::{Header, NpyElement, Options};
use ndarray_memmap::partition::{Partition, Window};
use ndarray_memmap::{
    Be, ErrorKind, Layout, MapOptions, MmapArray, Mode, NpyErrorKind, Result,
};
use test_support::npy_common::{create, open as open_npy};
use test_support::{Place, text_at};

type A = i32;

/// Shapes whose rows do not divide evenly, shapes of few or no rows, and shapes of no bytes.
const SHAPES: [&[usize]; 8] =
    [&[19], &[13, 7], &[5, 3, 11], &[2, 2, 3, 2], &[1, 9], &[0, 4], &[4, 0], &[3000, 1]];

/// The offset of the elements in a raw file, which is not a multiple of a page or a row.
const OFFSET: u64 = 20;

fn open<A: NpyElement, D: Dimension>(
    window: &Window,
    mode: Mode,
) -> Result<MmapArray<A, D>> {
    // SAFETY: the file lies in the test's own folder, and no other handle is used at the same time.
    unsafe { window.open(mode) }
}

fn array(shape: &[usize], fortran: bool) -> ArrayD<A> {
    let count: usize = shape.iter().product();
    let elements = (0..count).map(|i| A::try_from(i).unwrap() + 1).collect();
    ArrayD::from_shape_vec(IxDyn(shape).set_f(fortran), elements).unwrap()
}

/// Creates a file of zeros and returns its partition.
fn divided(
    place: &Place,
    shape: &[usize],
    fortran: bool,
    npy: bool,
    parts: usize,
) -> Partition {
    let axis = Axis(if fortran { shape.len() - 1 } else { 0 });
    if npy {
        let options = Options::new(Create).order(test_support::memory_order(fortran));
        drop(create::<A, _>(&options, place, IxDyn(shape).set_f(fortran)).unwrap());
        return Partition::new(&Header::read(&place.file()).unwrap(), axis, parts)
            .unwrap();
    }
    let options =
        MapOptions::new(Create).offset(OFFSET).shape(IxDyn(shape).set_f(fortran));
    let layout = test_support::open::<A, _>(&options, place).unwrap().layout().clone();
    Partition::from_layout::<A, _>(&layout, axis, parts).unwrap()
}

/// Calls `check` for each array: the shape, whether in Fortran order, whether `.npy`.
fn each(mut check: impl FnMut(&[usize], bool, bool)) {
    for shape in SHAPES {
        for (fortran, npy) in [(false, false), (false, true), (true, false), (true, true)]
        {
            check(shape, fortran, npy);
        }
    }
}

#[test]
fn the_windows_are_the_array_element_by_element() {
    let mut count = 0;
    each(|shape, fortran, npy| {
        for parts in 1..=17 {
            let place = Place::missing();
            let even = divided(&place, shape, fortran, npy, parts);
            let expected = array(shape, fortran);
            for partition in [even.clone(), even.aligned_to(4096)] {
                let windows = partition.windows(&place);
                assert_eq!((windows.len(), partition.len()), (parts, parts));
                let mut next = 0;
                for window in &windows {
                    // Each window begins at the end of the one before: every row occurs once.
                    assert_eq!(window.rows().start, next, "{window:?}");
                    next = window.rows().end;
                    assert_eq!(window.full_shape(), shape);
                    assert_eq!(
                        (window.path(), window.dtype()),
                        (place.path(), &A::dtype())
                    );
                    // A layout of one axis is also in C order.
                    let is_fortran = fortran && (npy || shape.len() > 1);
                    assert_eq!(window.fortran_order(), is_fortran);
                    let own = expected.slice_axis(window.axis(), window.rows().into());
                    assert_eq!(window.shape(), own.shape());
                    assert_eq!(window.is_empty(), own.is_empty());
                    let mut part = open::<A, IxDyn>(window, ReadWrite).unwrap();
                    // A write by another window would be visible here.
                    assert!(part.iter().all(|element| *element == 0), "{window:?}");
                    part.view_mut().unwrap().assign(&own);
                    // Only once, because the disk is slow.
                    if parts == 5 {
                        part.sync().unwrap();
                    }
                }
                assert_eq!(next, expected.len_of(windows[0].axis()));

                let offset = windows[0].data_offset();
                let options = MapOptions::new(ReadOnly).offset(offset);
                let options = options.shape(IxDyn(shape).set_f(fortran));
                let whole = test_support::open::<A, _>(&options, &place).unwrap();
                assert_eq!(whole.view(), expected, "{parts} parts of {shape:?}");
                drop(whole);
                if npy {
                    let whole =
                        open_npy::<A, IxDyn>(&Options::new(ReadOnly), &place).unwrap();
                    assert_eq!(whole.view(), expected);
                }
                for window in &windows {
                    let mut part = open::<A, IxDyn>(window, ReadWrite).unwrap();
                    let own = expected.slice_axis(window.axis(), window.rows().into());
                    assert_eq!(part.view(), own);
                    part.view_mut().unwrap().fill(0);
                    count += part.len();
                }
            }
        }
    });
    assert_eq!(count, (19 + 91 + 165 + 24 + 9 + 3000) * 4 * 17 * 2);
}

#[test]
fn parts_differ_by_one_row_at_most() {
    each(|shape, fortran, npy| {
        let place = Place::missing();
        for parts in 1..=17 {
            let windows = divided(&place, shape, fortran, npy, parts).windows(&place);
            let rows: Vec<_> = windows.iter().map(|w| w.rows().len()).collect();
            let (most, least) = (rows[0], rows[parts - 1]);
            assert!(rows.is_sorted_by(|a, b| a >= b) && most - least <= 1, "{rows:?}");
        }
    });
}

#[test]
fn no_two_aligned_windows_touch_one_page() {
    for (row, offset) in [(8, 0), (3072, 512), (4096, 4096), (4096, 0), (4099, 5), (7, 3)]
    {
        let options = MapOptions::new(ReadOnly).offset(offset).shape((10_000, row));
        let layout = options.resolve::<u8>(1 << 40).unwrap();
        for page in [4096, 65_536, 1 << 20] {
            for parts in 1..=17 {
                let even =
                    Partition::from_layout::<u8, _>(&layout, Axis(0), parts).unwrap();
                let windows = even.clone().aligned_to(page).windows("a.u8");
                let bytes = windows.iter().map(Window::byte_range);
                let bytes: Vec<_> = bytes.filter(|range| !range.is_empty()).collect();
                assert_eq!(bytes[0].start, layout.offset());
                assert_eq!(bytes[bytes.len() - 1].end, layout.end());
                for pair in bytes.windows(2) {
                    assert_eq!(pair[0].end, pair[1].start);
                    assert!(
                        pair[1].start.is_multiple_of(page),
                        "{row}, {offset}: {pair:?}"
                    );
                }
                // Each bound is the last row at a page boundary before the bound of even parts.
                for (aligned, even) in windows.iter().zip(even.windows("a.u8")) {
                    let between = aligned.rows().start + 1..=even.rows().start;
                    let begins = |r: usize| {
                        (offset + u64::try_from(r * row).unwrap()).is_multiple_of(page)
                    };
                    assert!(even.rows().start >= aligned.rows().start);
                    assert!(!between.into_iter().any(begins), "{row}, {offset}, {parts}");
                }
            }
        }
    }
}

#[test]
fn rows_that_never_begin_at_a_page_stay_together() {
    // A header of 128 bytes before rows of whole pages.
    let options = MapOptions::new(ReadOnly).offset(128).shape((10, 8192));
    let layout = options.resolve::<u8>(1 << 20).unwrap();
    let partition = Partition::from_layout::<u8, _>(&layout, Axis(0), 3).unwrap();
    let rows = |partition: Partition| -> Vec<_> {
        partition.windows("a").iter().map(Window::rows).collect()
    };
    assert_eq!(rows(partition.clone().aligned_to(4096)), [0..0, 0..0, 0..10]);
    assert_eq!(rows(partition.clone().aligned_to(u64::MAX)), [0..0, 0..0, 0..10]);
    for bytes in [0, 1, 2, 128] {
        assert_eq!(rows(partition.clone().aligned_to(bytes)), [0..4, 4..7, 7..10]);
    }
}

#[test]
fn data_of_a_npy_file_begin_where_they_are_asked_to() {
    let place = Place::missing();
    let options = Options::new(Create);
    for (align, offset) in [
        (0, 128),
        (1, 128),
        (64, 128),
        (100, 200),
        (512, 512),
        (4096, 4096),
        (8192, 8192),
    ] {
        let options = options.clone().data_align(align);
        let mut a = create::<f32, _>(&options, &place, (3, 1024)).unwrap();
        assert_eq!(a.layout().offset(), offset);
        a.view_mut().unwrap().fill(2.0);
        drop(a);
        let bytes = place.bytes().unwrap();
        assert_eq!(u64::try_from(bytes.len()).unwrap(), offset + 12_288);
        let header = Header::parse(&bytes).unwrap();
        assert_eq!((header.shape(), header.data_offset()), (&[3, 1024][..], offset));
        // The header still has room for rows.
        let mut a = open_npy::<f32, Ix2>(&Options::new(ReadWrite), &place).unwrap();
        a.push(Axis(0), &ndarray::Array1::ones(1024)).unwrap();
        a.close().unwrap();
        let a = open_npy::<f32, Ix2>(&Options::new(ReadOnly), &place).unwrap();
        assert_eq!((a.dim(), a.sum()), ((4, 1024), 7.0 * 1024.0));
    }
    let before = place.bytes().unwrap();
    for align in [16_384, 1 << 40, u64::MAX] {
        let error = create::<f32, _>(&options.clone().data_align(align), &place, 7);
        let error = error.map(drop).unwrap_err();
        let is_cap = matches!(
            error.kind(),
            ErrorKind::Npy(NpyErrorKind::HeaderTooLarge { limit: 10_000, .. })
        );
        assert!(is_cap || matches!(error.kind(), ErrorKind::TooLarge), "{error}");
    }
    place.assert_holds(&before);
    let options = options.data_align(65_536).max_header_size(70_000);
    let a = create::<f32, _>(&options, &place, 7).unwrap();
    assert_eq!(a.layout().offset(), 65_536);
}

#[test]
fn a_halo_has_the_neighbours_rows_for_reading() {
    for fortran in [false, true] {
        let place = Place::missing();
        let expected = array(&[10, 10], fortran);
        let partition = divided(&place, &[10, 10], fortran, true, 4);
        let windows = partition.windows(&place);
        for window in &windows {
            let own = expected.slice_axis(window.axis(), window.rows().into());
            open::<A, Ix2>(window, ReadWrite).unwrap().view_mut().unwrap().assign(&own);
        }
        for (part, k, range) in [
            (0, 0, 0..3),
            (0, 1, 0..4),
            (1, 1, 2..7),
            (1, 2, 1..8),
            (3, 1, 7..10),
            (2, usize::MAX, 0..10),
        ] {
            let halo = windows[part].halo(k);
            assert_eq!(halo.rows(), range);
            assert!(halo.is_read_only() && !windows[part].is_read_only());
            let own = expected.slice_axis(halo.axis(), halo.rows().into());
            assert_eq!(open::<A, IxDyn>(&halo, ReadOnly).unwrap().view(), own);
            let mut private = open::<A, Ix2>(&halo, CopyOnWrite).unwrap();
            private.view_mut().unwrap().fill(-1);
            let error = open::<A, Ix2>(&halo, ReadWrite).map(drop).unwrap_err();
            let text = "cannot open a halo in mode `r+` (use mode `r` or mode `c`)";
            assert_eq!(text_at(&error, &place), text);
        }
        let whole = open_npy::<A, Ix2>(&Options::new(ReadOnly), &place).unwrap();
        assert_eq!(whole.view().into_dyn(), expected);
    }
}

#[test]
fn a_window_opens_in_modes_that_change_no_length() {
    let place = Place::missing();
    let partition = divided(&place, &[13, 7], false, true, 2);
    let before = place.bytes().unwrap();
    for mode in [Create, CreateNew] {
        for window in partition.windows(&place) {
            let error = open::<A, Ix2>(&window, mode).map(drop).unwrap_err();
            let text = format!(
                "cannot open a window in mode `{mode}` (use mode `r` or mode `c` or mode `r+`)"
            );
            assert_eq!(text_at(&error, &place), text);
        }
    }
    let window = partition.window(&place, 1).unwrap();
    // Options for the place and shape of an array are ignored.
    let options = MapOptions::new(ReadWrite).grow(true).offset(7).shape(3);
    place.file().set_len(200).unwrap();
    // SAFETY: as in `open`.
    let error = unsafe { window.open_with::<A, Ix2>(&options) }.map(drop).unwrap_err();
    let is_short =
        matches!(error.kind(), ErrorKind::FileTooShort { expected: 492, found: 200 });
    assert!(is_short, "{error}");
    place.assert_holds(&before[..200]);
}

#[test]
fn a_window_checks_elements_and_axes() {
    let place = Place::missing();
    let window = divided(&place, &[13, 7], false, true, 2).window(&place, 1).unwrap();
    assert!(open::<A, Ix2>(&window, ReadOnly).is_ok());
    for error in [
        open::<u32, Ix2>(&window, ReadOnly).map(drop).unwrap_err(),
        open::<Be<i32>, Ix2>(&window, ReadOnly).map(drop).unwrap_err(),
        open::<i64, Ix2>(&window, ReadOnly).map(drop).unwrap_err(),
        open::<A, Ix3>(&window, ReadOnly).map(drop).unwrap_err(),
    ] {
        assert!(matches!(error.kind(), ErrorKind::Npy(_)), "{error}");
    }
    let moved = window.with_path(place.folder().join("missing.npy"));
    let error = open::<A, Ix2>(&moved, ReadOnly).map(drop).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::Io { action: "open", .. }), "{error}");
    assert!(error.to_string().contains("missing.npy"), "{error}");
}

#[test]
fn a_window_neither_grows_nor_follows() {
    for npy in [false, true] {
        let place = Place::missing();
        let partition = divided(&place, &[5, 2], false, npy, 2);
        let before = place.bytes().unwrap();
        for window in partition.windows(&place) {
            let mut part = open::<A, Ix2>(&window, ReadWrite).unwrap();
            for error in [
                part.append(Axis(0), &arr2(&[[1, 2]])).unwrap_err(),
                part.resize(Axis(0), 1).unwrap_err(),
                part.resize(Axis(0), 9).unwrap_err(),
            ] {
                assert!(matches!(error.kind(), ErrorKind::WindowGrows), "{error}");
                let text =
                    "a window of a larger array cannot grow (open the whole array)";
                assert_eq!(text_at(&error, &place), text);
            }
            part.close().unwrap();
            let mut part = open::<A, Ix2>(&window, ReadOnly).unwrap();
            let error = part.refresh().unwrap_err();
            assert!(matches!(error.kind(), ErrorKind::FixedShape), "{error}");
        }
        place.assert_holds(&before);
    }
}

#[test]
fn what_cannot_be_divided_is_refused() {
    let header = |shape: &[usize], fortran| {
        Header::new(f64::dtype(), shape, test_support::memory_order(fortran)).unwrap()
    };
    let of = |shape: &[usize], fortran, axis, parts| {
        Partition::new(&header(shape, fortran), Axis(axis), parts)
            .unwrap_err()
            .to_string()
    };
    let not_outermost = |axis, outermost| {
        format!(
            "axis {axis} cannot grow or be split in the memory order of this array (use axis \
             {outermost}, the outermost axis)"
        )
    };
    assert_eq!(
        of(&[3, 4], false, 0, 0),
        "an array cannot be split into 0 parts (use at least 1 part)"
    );
    assert_eq!(of(&[3, 4], false, 1, 2), not_outermost(1, 0));
    assert_eq!(of(&[3, 4], true, 0, 2), not_outermost(0, 1));
    assert_eq!(
        of(&[3, 4], true, 2, 2),
        "axis 2 is out of bounds for an array of 2 axes (axes count from 0)"
    );
    assert_eq!(
        of(&[], false, 0, 2),
        "axis 0 is out of bounds for an array of 0 axes (axes count from 0)"
    );
    let large = "the array is too large: its size or its end in bytes overflows (check shape, offset and element type)";
    assert_eq!(of(&[usize::MAX, 2], false, 0, 2), large);
    assert_eq!(of(&[0, usize::MAX], false, 0, 2), large);
    assert_eq!(of(&[1 << 60], false, 0, 2), large);

    let resolved = |options: MapOptions<Ix2>| options.resolve::<f64>(1 << 20).unwrap();
    let options = MapOptions::new(ReadOnly);
    let layout: Layout<Ix2> = resolved(options.clone().shape((4, 4).strides((1, 8))));
    let of = |layout: &Layout<Ix2>, axis| {
        Partition::from_layout::<f64, _>(layout, Axis(axis), 2)
    };
    let error = of(&layout, 0).unwrap_err();
    assert!(matches!(error.kind(), ErrorKind::NotInOrder), "{error}");
    let error = Partition::from_layout::<f32, _>(&layout, Axis(0), 2).unwrap_err();
    assert!(
        matches!(error.kind(), ErrorKind::ElementSize { expected: 8, found: 4 }),
        "{error}"
    );
    let layout = resolved(options.clone().shape((4, 5)));
    assert_eq!(of(&layout, 1).unwrap_err().to_string(), not_outermost(1, 0));
    let layout = resolved(options.clone().shape((4, 5).f()));
    assert_eq!(of(&layout, 0).unwrap_err().to_string(), not_outermost(0, 1));
    // An empty array is in both orders.
    for shape in [(0, 4), (4, 0)] {
        let layout = resolved(options.clone().shape(shape));
        for axis in [0, 1] {
            let windows = of(&layout, axis).unwrap().windows("a");
            assert_eq!(windows[0].axis(), Axis(axis));
            let rows: usize = windows.iter().map(|w| w.rows().len()).sum();
            assert_eq!(rows, layout.shape()[axis], "{shape:?}");
        }
    }
}

#[test]
fn parts_without_rows_and_parts_beyond_the_last() {
    let place = Place::missing();
    let partition = divided(&place, &[2, 3], false, true, 5);
    assert!(partition.window(&place, 5).is_none());
    for part in 2..5 {
        let window = partition.window(&place, part).unwrap();
        assert!(window.is_empty() && window.rows() == (2..2));
        for mode in [ReadOnly, CopyOnWrite, ReadWrite] {
            let mut part = open::<A, Ix2>(&window, mode).unwrap();
            assert_eq!(part.dim(), (0, 3));
            if mode != ReadOnly {
                part.view_mut().unwrap().fill(1);
            }
            if mode != CopyOnWrite {
                part.sync().unwrap();
            }
        }
        #[cfg(target_os = "linux")]
        {
            let part = open::<A, Ix2>(&window, ReadOnly).unwrap();
            assert_eq!((place.mapped("Size"), part.len()), (0, 0));
        }
    }
    let partition =
        Partition::new(&Header::read(&place.file()).unwrap(), Axis(0), usize::MAX);
    let partition = partition.unwrap();
    assert_eq!(partition.window(&place, 1).unwrap().rows(), 1..2);
    assert_eq!(partition.window(&place, usize::MAX - 1).unwrap().rows(), 2..2);
}

#[cfg(target_os = "linux")]
#[test]
fn a_window_maps_only_its_bytes() {
    let page = u64::try_from(rustix::param::page_size()).unwrap();
    let place = Place::missing();
    let options = Options::new(Create);
    let mut a = create::<f64, _>(&options, &place, (4000, 1003)).unwrap();
    a.view_mut().unwrap().fill(1.0);
    a.close().unwrap();
    let header = Header::read(&place.file()).unwrap();
    for parts in [3, 5] {
        let partition = Partition::new(&header, Axis(0), parts).unwrap();
        for window in partition.windows(&place) {
            for window in [window.clone(), window.halo(1)] {
                let mode = if window.is_read_only() { ReadOnly } else { ReadWrite };
                let mut part = open::<f64, Ix2>(&window, mode).unwrap();
                let bytes = window.byte_range();
                let pages = bytes.end.div_ceil(page) - bytes.start / page;
                assert_eq!(place.mapped("Size") * 1024, pages * page, "{window:?}");
                if mode == ReadWrite {
                    part.view_mut().unwrap().fill(1.0);
                }
                assert!(part.iter().all(|x| *x == 1.0));
                part.sync().unwrap();
                let resident = place.mapped("Rss") * 1024;
                assert!(resident <= pages * page, "{resident} bytes of {window:?}");
            }
        }
    }
    assert_eq!(place.mapped("Size"), 0);
}

#[test]
fn windows_go_to_threads() {
    fn can_be_sent<T: Clone + Send + Sync + 'static>(_: &T) {}

    let place = Place::missing();
    let partition = divided(&place, &[1001, 5], false, true, 7);
    can_be_sent(&partition);
    std::thread::scope(|scope| {
        for window in partition.windows(&place) {
            can_be_sent(&window);
            scope.spawn(move || {
                let mut part = open::<A, Ix2>(&window, ReadWrite).unwrap();
                for (row, mut part) in
                    window.rows().zip(part.view_mut().unwrap().rows_mut())
                {
                    part.fill(A::try_from(row).unwrap());
                }
                part.sync().unwrap();
            });
        }
    });
    let a = open_npy::<A, Ix2>(&Options::new(ReadOnly), &place).unwrap();
    assert!(a.indexed_iter().all(|((row, _), x)| usize::try_from(*x) == Ok(row)));
}

#[test]
fn a_private_window_commits_its_rows_alone() {
    let place = Place::missing();
    let partition = divided(&place, &[3000, 5], false, true, 3);
    let windows = partition.windows(&place);
    let mut middle = open::<A, Ix2>(&windows[1], CopyOnWrite).unwrap();
    middle.view_mut().unwrap().fill(3);
    open::<A, Ix2>(&windows[0], ReadWrite).unwrap().view_mut().unwrap().fill(1);
    middle.force_commit().unwrap();
    drop(middle);
    let a = open_npy::<A, Ix2>(&Options::new(ReadOnly), &place).unwrap();
    let sums: Vec<_> = a.axis_chunks_iter(Axis(0), 1000).map(|rows| rows.sum()).collect();
    assert_eq!(sums, [5000, 15_000, 0]);
}
