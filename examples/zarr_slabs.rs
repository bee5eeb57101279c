//! Writes Zarr arrays that other libraries read, and maps chunks that other libraries wrote.
//!
//! - `zarr_slabs write FOLDER` writes the elevation model as a Zarr array.
//! - `zarr_slabs read FOLDER FILE.npy` maps the chunks of an uncompressed array one by one, and
//!   joins them in a `.npy` file.
//! - `zarr_slabs` does both in a temporary folder, and compares the results.
#![expect(unsafe_code, reason = "mapping is the only unsafe step")]
#![expect(
    clippy::arithmetic_side_effects,
    clippy::indexing_slicing,
    reason = "the indices are within checked shapes, and a missing JSON key yields `null`"
)]

use std::error::Error;
use std::fs;
use std::path::Path;
use std::str::FromStr;

use ndarray::{ArrayRef2, Axis, Dimension, Ix2, IxDyn, Slice, indices, s};
use ndarray_memmap::npy::{self, NpyElement};
use ndarray_memmap::{Be, Le, MapOptions, MmapArray2, Mode};
use serde_json::{Value, json};

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

const DEM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/jacksboro_dem.bin");
const SHAPE: (usize, usize) = (344, 403);
/// Rows of a slab. The last slab has fewer rows and is padded.
const SLAB: usize = 100;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match *arguments.as_slice() {
        [] => both(),
        ["write", folder] => write(&model()?, folder.as_ref()),
        ["read", folder, npy] => read(folder.as_ref(), npy.as_ref()),
        _ => Err("usage: zarr_slabs [write FOLDER | read FOLDER FILE.npy]".into()),
    }
}

fn model() -> Result<MmapArray2<Be<i16>>> {
    // SAFETY: no process changes the data of the example while it runs.
    Ok(unsafe { MapOptions::new(Mode::ReadOnly).shape(SHAPE).open(DEM)? })
}

fn both() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let (zarr, npy) = (dir.path().join("dem.zarr"), dir.path().join("dem.npy"));
    let dem = model()?;
    write(&dem, &zarr)?;
    println!("{}", fs::read_to_string(zarr.join("zarr.json"))?);
    read(&zarr, &npy)?;
    let joined = npy::load::<Be<i16>, Ix2>(&npy)?;
    println!("equal to the model: {}", joined == dem);
    Ok(())
}

/// Writes each slab as a mapped array, then the description of the Zarr array.
fn write(dem: &ArrayRef2<Be<i16>>, folder: &Path) -> Result<()> {
    let slab = (SLAB, dem.ncols());
    for (number, rows) in dem.axis_chunks_iter(Axis(0), SLAB).enumerate() {
        let path = folder.join(format!("c/{number}/0"));
        fs::create_dir_all(path.parent().ok_or("a chunk without a folder")?)?;
        let mut chunk = MapOptions::new(Mode::Create).shape(slab).draft(&path)?;
        chunk.view_mut().slice_mut(s![..rows.nrows(), ..]).assign(&rows);
        chunk.publish()?;
    }
    let description = json!({
        "zarr_format": 3,
        "node_type": "array",
        "shape": dem.shape(),
        "data_type": "int16",
        "chunk_grid": { "name": "regular", "configuration": { "chunk_shape": [slab.0, slab.1] } },
        "chunk_key_encoding": { "name": "default", "configuration": { "separator": "/" } },
        "codecs": [{ "name": "bytes", "configuration": { "endian": "big" } }],
        "fill_value": 0,
    });
    // Last, so that a process that finds the description finds all chunks.
    fs::write(folder.join("zarr.json"), format!("{description:#}\n"))?;
    Ok(())
}

/// Joins the chunks of a Zarr array of a supported element type.
fn read(folder: &Path, npy: &Path) -> Result<()> {
    let text = fs::read_to_string(folder.join("zarr.json"))?;
    let json: Value = serde_json::from_str(&text)?;
    let (format, node) = (&json["zarr_format"], &json["node_type"]);
    if *format != 3 || *node != "array" {
        return Err(format!("{node} of format {format} is no array of Zarr 3").into());
    }
    let between = &json["storage_transformers"];
    if !between.is_null() && *between != json!([]) {
        return Err(format!("chunks behind {between} are not read").into());
    }
    let endian = only_bytes(&json["codecs"])?;
    let fill = &json["fill_value"];

    macro_rules! join {
        ($($name:literal $T:ty),*) => {
            match (json["data_type"].as_str().unwrap_or_default(), endian) {
                ("uint8", _) => join::<u8>(&json, folder, npy, number(fill)?),
                $(
                    ($name, "little") => join(&json, folder, npy, Le::<$T>::new(number(fill)?)),
                    ($name, "big") => join(&json, folder, npy, Be::<$T>::new(number(fill)?)),
                )*
                _ => Err(format!("elements of type {} are not read", json["data_type"]).into()),
            }
        };
    }
    join!("int16" i16, "uint16" u16, "int32" i32, "int64" i64, "float32" f32, "float64" f64)
}

/// Returns the byte order if no other codec transforms the elements.
fn only_bytes(codecs: &Value) -> Result<&str> {
    match codecs.as_array().map(Vec::as_slice) {
        Some([codec]) if codec["name"] == "bytes" => {
            Ok(codec["configuration"]["endian"].as_str().unwrap_or("none"))
        }
        _ => Err(format!("only the codec `bytes` can be mapped, not {codecs}").into()),
    }
}

/// Parses a JSON number, or a string such as `NaN` for a number that JSON cannot express.
fn number<T: FromStr<Err: Error + 'static>>(value: &Value) -> Result<T> {
    Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned).parse()?)
}

fn lengths(json: &Value) -> Result<Vec<usize>> {
    Ok(serde_json::from_value(json.clone())?)
}

fn join<A: NpyElement>(json: &Value, folder: &Path, npy: &Path, fill: A) -> Result<()> {
    let grid = &json["chunk_grid"];
    let keys = &json["chunk_key_encoding"];
    if grid["name"] != "regular" || keys["name"] != "default" {
        return Err(format!("chunks by {grid} and {keys} are not read").into());
    }
    let separator = keys["configuration"]["separator"].as_str().unwrap_or("/");
    if !["/", "."].contains(&separator) {
        return Err(format!("{separator:?} separates no keys of chunks").into());
    }
    let (shape, chunk) =
        (lengths(&json["shape"])?, lengths(&grid["configuration"]["chunk_shape"])?);
    if shape.len() != chunk.len() || chunk.contains(&0) {
        return Err(format!("chunks of {chunk:?} do not divide {shape:?}").into());
    }
    let options = MapOptions::new(Mode::ReadOnly).shape(IxDyn(&chunk));
    let mut whole = npy::draft::<A, IxDyn>(npy, IxDyn(&shape))?;
    let mut view = whole.view_mut();
    view.fill(fill);
    let counts: Vec<_> = shape.iter().zip(&chunk).map(|(n, c)| n.div_ceil(*c)).collect();
    let mut missing = 0;
    for index in indices(counts.clone()) {
        let start: Vec<_> =
            index.slice().iter().zip(&chunk).map(|(i, c)| i * c).collect();
        let number = index.slice().iter().map(usize::to_string);
        let key: Vec<_> = std::iter::once("c".to_owned()).chain(number).collect();
        let path = folder.join(key.join(separator));
        if !path.try_exists()? {
            missing += 1;
            continue;
        }
        // SAFETY: no process writes to the array while this function runs.
        let elements = unsafe { options.open::<A>(&path)? };
        if fs::metadata(&path)?.len() != elements.layout().end() {
            return Err(format!("{} is longer than a chunk", path.display()).into());
        }
        let mut place = view.slice_each_axis_mut(|axis| {
            let Axis(i) = axis.axis;
            Slice::from(start[i]..(start[i] + chunk[i]).min(axis.len))
        });
        // Skips the padding at the end of an axis.
        let within = place.raw_dim();
        place.assign(
            &elements.slice_each_axis(|axis| Slice::from(..within[axis.axis.index()])),
        );
    }
    whole.publish()?;
    let chunks = counts.iter().product::<usize>() - missing;
    println!(
        "{shape:?} of {} from {chunks} chunks of {chunk:?}, {missing} missing",
        A::dtype()
    );
    Ok(())
}
