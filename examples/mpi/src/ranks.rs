//! The MPI processes, and the window of each in a file.

use std::fs::File;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use mpi::collective::SystemOperation;
use mpi::environment::Universe;
use mpi::topology::SimpleCommunicator;
use mpi::traits::{Communicator, CommunicatorCollectives};
use ndarray::Axis;
use ndarray_memmap::npy::Header;
use ndarray_memmap::partition::{Partition, Window};
use rustix::time::{ClockId, clock_gettime};

use crate::Result;

/// Times in seconds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Time {
    /// Time until the last rank is done.
    pub(crate) wall: f64,
    /// CPU time of the busiest rank.
    pub(crate) busiest: f64,
}

/// Windows of several machines have no page in common if their pages are not larger.
pub(crate) const PAGE: u64 = 4096;

pub(crate) struct Ranks {
    pub(crate) world: SimpleCommunicator,
    /// The rank of this process.
    pub(crate) rank: usize,
    pub(crate) size: usize,
    /// Ends MPI when dropped.
    _universe: Universe,
}

impl Ranks {
    /// Starts MPI, and returns an error if the number of processes is not `asked`.
    ///
    /// The launcher of another MPI starts each process as a world of its own. Each process would
    /// then write the whole file.
    pub(crate) fn start(asked: usize) -> Result<Self> {
        let universe = mpi::initialize().ok_or("MPI has been started before")?;
        let world = universe.world();
        let rank = usize::try_from(world.rank())?;
        let size = usize::try_from(world.size())?;
        if size != asked {
            return Err(format!(
                "{asked} ranks were asked for, but MPI has {size}: start this with the \
                 mpirun of the MPI that it was built with, as `mpirun -n {asked}`"
            )
            .into());
        }
        Ok(Self { world, rank, size, _universe: universe })
    }

    /// Waits for all ranks and sleeps between checks, because MPI's own barrier keeps a core busy.
    pub(crate) fn barrier(&self) {
        let mut request = self.world.immediate_barrier();
        while let Err(unfinished) = request.test() {
            request = unfinished;
            thread::sleep(Duration::from_micros(100));
        }
    }

    /// Runs `work` in all ranks at the same time, and measures it.
    pub(crate) fn time<T>(&self, work: impl FnOnce() -> T) -> (Time, T) {
        self.barrier();
        let start = Instant::now();
        let cpu = cpu_time();
        let done = work();
        let cpu = cpu_time() - cpu;
        self.barrier();
        let wall = start.elapsed().as_secs_f64();
        let mut busiest = 0.0_f64;
        self.world.all_reduce_into(&cpu, &mut busiest, SystemOperation::max());
        (Time { wall, busiest }, done)
    }

    /// Returns this rank's window of a `.npy` file that is divided among the first `parts` ranks.
    pub(crate) fn window_of(&self, path: &Path, parts: usize) -> Result<Option<Window>> {
        let header = Header::read(&File::open(path)?)?;
        let partition = Partition::new(&header, Axis(0), parts)?.aligned_to(PAGE);
        Ok(partition.window(path, self.rank))
    }

    /// Returns this rank's window of a `.npy` file, which may be empty.
    pub(crate) fn window(&self, path: &Path, parts: usize) -> Result<Window> {
        self.window_of(path, parts)?
            .ok_or_else(|| "there is no window for this rank".into())
    }
}

/// Returns the CPU time of this process in seconds, kernel time included.
fn cpu_time() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::try_from(time).unwrap_or_default().as_secs_f64()
}
