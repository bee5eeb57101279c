//! The types that can be elements, the check of their bytes, and reductions; knows no files.

mod byte_order;
mod reductions;

pub use byte_order::{Be, Le, Number};
pub use reductions::{Reduce, Reductions};

use std::any::TypeId;

use bytemuck::{CheckedBitPattern, NoUninit, Zeroable};

/// A type whose values have the same bytes in memory and in a file.
///
/// Implemented for every `'static` type with the required `bytemuck` traits: all primitive
/// numbers, `bool`, `char`, arrays, [`Be`] and [`Le`], and the
/// structs and enums that derive these traits. `Zeroable` is required because a new file
/// contains zeros. `NoUninit` is required because padding must not reach a file.
///
/// Numbers are not checked. Some types, such as `bool`, have invalid byte values. Opening a
/// file of these types reads and checks the whole array once. The error names the first
/// invalid element.
///
/// # Examples
///
/// A record of 12 bytes without padding, as in NumPy's `[('id', '<u4'), ('x', '<f8')]`:
///
/// ```
/// use bytemuck::{Pod, Zeroable};
/// use ndarray_memmap::{Element, Le};
///
/// #[derive(Clone, Copy, Pod, Zeroable)]
/// #[repr(C)]
/// struct Particle {
///     id: Le<u32>,
///     x: Le<f64>,
/// }
///
/// fn is_element<A: Element>() {}
/// is_element::<Particle>();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be an element of a mapped array",
    note = "derive `bytemuck::Pod` and `bytemuck::Zeroable` for a `#[repr(C)]` struct"
)]
pub trait Element: CheckedBitPattern + NoUninit + Zeroable + 'static {}

impl<T: CheckedBitPattern + NoUninit + Zeroable + 'static> Element for T {}

/// Returns whether some bit patterns of `A` are invalid.
///
/// A type without invalid patterns is its own `Bits`. The reason is the blanket implementation of
/// `CheckedBitPattern` for `AnyBitPattern`, which no other implementation can overlap.
pub(crate) fn needs_check<A: Element>() -> bool {
    TypeId::of::<A>() != TypeId::of::<A::Bits>()
}

/// Returns the index of the first of consecutive elements that is not a value of `A`.
///
/// Whole blocks are checked without a branch, so that the compiler can use vectors.
pub(crate) fn first_invalid<A: Element>(elements: &[A::Bits]) -> Option<usize> {
    const BLOCK: usize = 4096;
    let (block, elements_of_block) =
        elements.chunks(BLOCK).enumerate().find(|(_, block)| {
            !block.iter().fold(true, |valid, bits| valid & A::is_valid_bit_pattern(bits))
        })?;
    let at = elements_of_block.iter().position(|bits| !A::is_valid_bit_pattern(bits))?;
    block.checked_mul(BLOCK)?.checked_add(at)
}

#[cfg(test)]
mod tests {
    use super::byte_order::Be;
    use super::*;

    #[test]
    fn only_types_with_invalid_patterns_are_checked() {
        assert!(!needs_check::<f64>());
        assert!(!needs_check::<[u8; 3]>());
        assert!(!needs_check::<Be<i16>>());
        assert!(needs_check::<bool>());
        assert!(needs_check::<char>());
    }

    #[test]
    fn the_first_invalid_element_is_found_in_any_block() {
        for len in [1, 4095, 4096, 4097, 20_000] {
            for bad in [0, 1, 4095, 4096, len - 1] {
                let mut bytes = vec![1_u8; len];
                assert_eq!(first_invalid::<bool>(&bytes), None);
                if let Some(byte) = bytes.get_mut(bad) {
                    *byte = 2;
                    assert_eq!(first_invalid::<bool>(&bytes), Some(bad));
                    bytes[len - 1] = 255;
                    assert_eq!(first_invalid::<bool>(&bytes), Some(bad));
                }
            }
        }
    }
}
