//! Compares one process with all processes on the same work, and measures the machine's limits.

use std::hint::black_box;

use ndarray::Array2;

use crate::Result;
use crate::field::{create_both, fill_window, shade_window};
use crate::options::Run;
use crate::ranks::{Ranks, Time};
use crate::terrain::{Terrain, shade};

const MEASURES: [&str; 6] = [
    "fill, new file",
    "fill, file in memory",
    "shade",
    "limit: new memory",
    "limit: copy in memory",
    "limit: shade in cache",
];

/// Prints the medians of rounds. In each round first rank 0 works alone, then all ranks work.
pub(crate) fn measure(
    ranks: &Ranks,
    terrain: &Terrain,
    run: &Run,
    rounds: usize,
) -> Result<()> {
    let mut times = [const { [const { Vec::new() }; 2] }; MEASURES.len()];
    // The first round warms up.
    for round in 0..=rounds {
        for (side, parts) in [1, ranks.size].into_iter().enumerate() {
            let measured = once(ranks, terrain, run, parts)?;
            for (times, time) in times.iter_mut().zip(measured) {
                if round > 0 {
                    times[side].push(time);
                }
            }
        }
    }
    if ranks.rank != 0 {
        return Ok(());
    }
    let (rows, columns) = run.shape;
    println!("{rows} x {columns} cells, medians of {rounds} rounds");
    println!("{:22}   1 rank  {} ranks   ratio   ratio of CPU time", "", ranks.size);
    for (name, [one, all]) in MEASURES.iter().zip(&times) {
        let [one_cpu, all_cpu] =
            [one, all].map(|times| median(times, |time| time.busiest));
        let [one, all] = [one, all].map(|times| median(times, |time| time.wall));
        let (ratio, cpu) = (one / all, one_cpu / all_cpu);
        println!("{name:22}{one:7.3} s{all:7.3} s{ratio:8.2}{cpu:8.2}");
    }
    Ok(())
}

fn median(times: &[Time], figure: impl Fn(&Time) -> f64) -> f64 {
    let mut figures: Vec<f64> = times.iter().map(figure).collect();
    figures.sort_by(f64::total_cmp);
    figures.get(figures.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Does all work once in the first `parts` ranks, while the other ranks sleep.
fn once(
    ranks: &Ranks,
    terrain: &Terrain,
    run: &Run,
    parts: usize,
) -> Result<[Time; MEASURES.len()]> {
    let [elevation, hillshade] = create_both(ranks, run)?;
    let mine = ranks.window_of(&elevation, parts)?;
    let fill =
        || mine.as_ref().map(|mine| fill_window(terrain, mine)).transpose().map(drop);
    let (new, filled) = ranks.time(fill);
    filled?;
    let (again, filled) = ranks.time(fill);
    filled?;
    let both = mine.as_ref().zip(ranks.window_of(&hillshade, parts)?);
    let (shading, shaded) = ranks.time(|| {
        both.map(|(mine, shades)| shade_window(mine, &shades)).transpose().map(drop)
    });
    shaded?;

    let cells = if ranks.rank < parts { run.shape.0 * run.shape.1 / parts } else { 0 };
    let (fresh, source) = ranks.time(|| vec![1.0_f32; cells]);
    let mut copy = vec![0.5_f32; cells];
    let (copying, ()) = ranks.time(|| copy.copy_from_slice(black_box(&source)));
    black_box(copy);
    let (computing, ()) = ranks.time(|| shade_in_cache(terrain, cells));
    Ok([new, again, shading, fresh, copying, computing])
}

/// Shades `cells` cells, of which only few are distinct.
fn shade_in_cache(terrain: &Terrain, cells: usize) {
    let mut field = Array2::zeros((32, 1024));
    let mut shades = field.clone();
    terrain.fill(0, field.view_mut());
    for _ in 0..cells / field.len() {
        shade(black_box(&field).view(), 0, shades.view_mut());
    }
}
