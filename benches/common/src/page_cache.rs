//! Files in and out of the page cache (Linux).

use std::fs::File;

use ndarray::s;
use ndarray_memmap::Mode;
use rustix::fs::{Advice, fadvise};

use crate::rounds::Way;
use crate::sample::{Table, floats, map};

impl Table {
    /// Evicts the file from the page cache, and checks that no page is cached.
    pub fn chill(&self) {
        let file = File::open(&self.raw).expect("it opens");
        file.sync_all().expect("it is written");
        fadvise(&file, 0, None, Advice::DontNeed).expect("it can be dropped");
        let residency = self.residency();
        assert!(residency < 0.001, "{residency} of {} is cached", self.name);
    }

    /// Reads the file into the page cache from end to end, and checks that it is cached.
    pub fn warm(&self) {
        let residency = || {
            assert!(floats(&map(&self.raw).expect("it maps")).sum() > 0.0);
            self.residency()
        };
        // A page that the kernel migrates at this moment does not count as cached.
        let cached = (0..5).map(|_| residency()).any(|residency| residency > 0.999);
        assert!(cached, "{} does not stay in the page cache", self.name);
    }

    fn residency(&self) -> f64 {
        self.open(Mode::ReadOnly).region(s![.., ..]).residency()
    }

    /// A way whose runs each begin with a cold file.
    pub fn cold<'a>(&'a self, name: &'a str, work: impl Fn() -> f64 + 'a) -> Way<'a> {
        Way::new(name, work).after(|| self.chill())
    }

    /// A way whose runs each begin with a warm file.
    pub fn warmed<'a>(&'a self, name: &'a str, work: impl Fn() -> f64 + 'a) -> Way<'a> {
        Way::new(name, work).after(|| self.warm())
    }
}
