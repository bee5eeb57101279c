//! Shades an elevation model with several MPI processes. Each works in its window of mapped files.

mod alone;
mod field;
mod inspect;
mod memory;
mod options;
mod ranks;
mod scaling;
mod terrain;

use std::error::Error;
use std::fs;
use std::process::ExitCode;

use mpi::collective::SystemOperation;
use mpi::traits::{Communicator, CommunicatorCollectives, Root};
use ndarray_memmap::partition::Window;
use rustix::process::{Signal, getpid, kill_process};

use alone::compare;
use field::{Shaded, create_both, fill_half, fill_window, shade_window};
use memory::Mapped;
use options::{Death, Options, Run, Task};
use ranks::Ranks;
use terrain::Terrain;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> ExitCode {
    let done = match Options::parse() {
        Ok(Options::Inspect(path)) => inspect::inspect(&path),
        Ok(Options::Run(run)) => start(&run),
        Err(error) => Err(error),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn start(run: &Run) -> Result<()> {
    let ranks = Ranks::start(run.ranks)?;
    let terrain = Terrain::open()?;
    fs::create_dir_all(&run.dir)?;
    let done = match run.task {
        Task::Scaling { rounds } => scaling::measure(&ranks, &terrain, run, rounds),
        Task::Shade { check } => work(&ranks, &terrain, run, None).and_then(|()| {
            let same = if check { compare(&ranks, &terrain, run) } else { Ok(()) };
            ranks.barrier();
            same
        }),
        Task::Die(death) => work(&ranks, &terrain, run, Some(death)),
    };
    if let Err(error) = &done
        && ranks.size > 1
    {
        // The other ranks wait for this rank.
        eprintln!("error: rank {}: {error}", ranks.rank);
        ranks.world.abort(1);
    }
    done
}

/// Fills and shades the rows of this rank.
fn work(ranks: &Ranks, terrain: &Terrain, run: &Run, death: Option<Death>) -> Result<()> {
    let [elevation, hillshade] = create_both(ranks, run)?;
    let mine = ranks.window(&elevation, ranks.size)?;
    let shades = ranks.window(&hillshade, ranks.size)?;

    if let Some(death) = death {
        return die(ranks, terrain, &mine, death);
    }
    // `fill` syncs and closes: afterwards each rank may read the rows next to its own.
    let (filling, filled) = ranks.time(|| fill(terrain, &mine));
    let filled = filled?;
    let (shading, shaded) = ranks.time(|| -> Result<_> {
        let Shaded { field, shades: out, sum } = shade_window(&mine, &shades)?;
        let read = Mapped::of(mine.path())?.expect(&mine.halo(1).byte_range())?;
        let written = Mapped::of(shades.path())?.expect(&shades.byte_range())?;
        field.close()?;
        out.close()?;
        Ok((sum, read, written))
    });
    let (own_sum, read, written) = shaded?;

    let mut sum = 0.0_f64;
    ranks.world.all_reduce_into(&own_sum, &mut sum, SystemOperation::sum());
    report(ranks, &mine, [filled, read, written]);
    if ranks.rank == 0 {
        println!("sum of elevations {sum:.4} m");
        println!(
            "filled in {:.3} s, shaded in {:.3} s, both synced",
            filling.wall, shading.wall
        );
    }
    Ok(())
}

/// Fills and syncs a window, and returns what was mapped for it.
fn fill(terrain: &Terrain, mine: &Window) -> Result<Mapped> {
    let rows = fill_window(terrain, mine)?;
    let mapped = Mapped::of(mine.path())?.expect(&mine.byte_range())?;
    rows.close()?;
    Ok(mapped)
}

/// Kills one rank in the middle of a row, after all other ranks have synced their rows.
fn die(ranks: &Ranks, terrain: &Terrain, mine: &Window, death: Death) -> Result<()> {
    let Death { rank, row } = death;
    if ranks.rank != rank {
        fill(terrain, mine)?;
    } else if !mine.rows().contains(&row) {
        return Err(format!("row {row} is not in {:?}", mine.rows()).into());
    }
    ranks.barrier();
    if ranks.rank == rank {
        fill_half(terrain, mine, row)?;
        kill_process(getpid(), Signal::KILL)?;
    }
    // The launcher ends the ranks that wait for the killed rank.
    ranks.barrier();
    Err(format!("there is no rank {rank}").into())
}

/// Prints in rank 0 what each rank had mapped.
fn report(ranks: &Ranks, mine: &Window, mapped: [Mapped; 3]) {
    let rows = [mine.rows().start, mine.rows().end].map(|row| row as u64);
    let mapped = mapped.map(|Mapped { len, resident }| [len, resident]);
    let line: Vec<u64> = [&rows[..], mapped.as_flattened()].concat();
    let root = ranks.world.process_at_rank(0);
    if ranks.rank != 0 {
        root.gather_into(&line[..]);
        return;
    }
    let mut lines = vec![0_u64; line.len() * ranks.size];
    root.gather_into_root(&line[..], &mut lines[..]);
    println!("KiB mapped (and of them in memory), by rank");
    for (rank, line) in lines.chunks_exact(line.len()).enumerate() {
        let (rows, mapped) = line.split_at(2);
        print!("rank {rank}: rows {}..{}", rows[0], rows[1]);
        let stages = ["to fill", "to read with halo", "to shade"];
        for (stage, mapped) in stages.iter().zip(mapped.chunks_exact(2)) {
            print!(", {stage} {} ({})", mapped[0] >> 10, mapped[1] >> 10);
        }
        println!();
    }
}
