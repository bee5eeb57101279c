//! One array in one file, with the bytes that either side should find.

use std::any::TypeId;
use std::fmt;
use std::path::Path;

use crate::elements::{hex, noise};
use ndarray::{IxDyn, ShapeBuilder};
use ndarray_memmap::{Element, MapOptions, MmapArrayD, Mode};
use serde_json::{Value, json};

/// An array in a file, with its elements before and after a change.
pub(crate) struct Case {
    pub(crate) dtype: Value,
    pub(crate) order: char,
    pub(crate) offset: usize,
    pub(crate) shape: Vec<usize>,
    size: usize,
    /// The elements in C order.
    pub(crate) old: Vec<u8>,
    pub(crate) new: Vec<u8>,
}

impl Case {
    pub(crate) fn new<A: Element>(
        dtype: &Value,
        order: char,
        offset: usize,
        shape: &[usize],
        seed: usize,
    ) -> Self {
        let len = shape.iter().product::<usize>() * size_of::<A>();
        let mask = if TypeId::of::<A>() == TypeId::of::<bool>() { 1 } else { 255 };
        let elements =
            |seed| noise(seed, len).into_iter().map(|byte| byte & mask).collect();
        Self {
            dtype: dtype.clone(),
            order,
            offset,
            shape: shape.to_vec(),
            size: size_of::<A>(),
            old: elements(seed),
            new: elements(seed + 1000),
        }
    }

    pub(crate) fn open<A: Element>(&self, path: &Path, mode: Mode) -> MmapArrayD<A> {
        let shape = IxDyn(&self.shape).set_f(self.order == 'F');
        let options = MapOptions::new(mode).offset(self.offset.try_into().unwrap());
        // SAFETY: no reference to an element lives while the peer changes one, and the peer never
        // truncates the file.
        let array = unsafe { options.shape(shape).open(path) };
        array.unwrap_or_else(|e| panic!("{e}, for {self}"))
    }

    /// Returns the file that holds `elements` between other bytes.
    pub(crate) fn file(&self, elements: &[u8]) -> Vec<u8> {
        [noise(7, self.offset), self.in_memory_order(elements), noise(8, 5)].concat()
    }

    /// Returns the file that holds only `elements`.
    pub(crate) fn new_file(&self, elements: &[u8]) -> Vec<u8> {
        [vec![0; self.offset], self.in_memory_order(elements)].concat()
    }

    fn in_memory_order(&self, elements: &[u8]) -> Vec<u8> {
        let mut memory = elements.to_vec();
        if self.order == 'C' {
            return memory;
        }
        for (position, element) in elements.chunks(self.size).enumerate() {
            let (mut rest, mut stride) = (position, self.old.len());
            let mut at = 0;
            for &length in self.shape.iter().rev() {
                stride /= length;
                at += rest % length * stride;
                rest /= length;
            }
            memory[at..at + self.size].copy_from_slice(element);
        }
        memory
    }

    pub(crate) fn answer(&self, elements: &[u8]) -> Value {
        json!({ "shape": self.shape, "hex": hex(elements) })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { dtype, order, offset, shape, .. } = self;
        write!(f, "{dtype}, {shape:?} in {order} order at byte {offset}")
    }
}
