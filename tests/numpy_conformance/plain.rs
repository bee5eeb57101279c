//! Element types for builds without the features `half` and `num-complex`.

#[cfg(not(feature = "num-complex"))]
pub(crate) use complex::Complex;
#[cfg(not(feature = "half"))]
pub(crate) use half::{BigHalf, Half};

#[cfg(not(feature = "num-complex"))]
#[expect(unsafe_code, reason = "`Pod` and `Zeroable` are unsafe traits")]
mod complex {
    use bytemuck::{Pod, Zeroable};
    use ndarray_memmap::npy::{DType, Kind, NpyElement, Scalar};

    /// Real and imaginary part.
    #[derive(Clone, Copy)]
    #[repr(C)]
    pub(crate) struct Complex<T> {
        pub(crate) re: T,
        pub(crate) im: T,
    }

    // SAFETY: a struct of two fields is valid as zeros if each field is.
    unsafe impl<T: Zeroable> Zeroable for Complex<T> {}

    // SAFETY: in C's layout two fields of one `Pod` type have no padding between them.
    unsafe impl<T: Pod> Pod for Complex<T> {}

    impl<T: Pod + NpyElement> NpyElement for Complex<T> {
        fn dtype() -> DType {
            match T::dtype() {
                DType::Scalar(Scalar { order, .. }) => {
                    DType::scalar(Kind::Complex, order, size_of::<Self>())
                }
                other => other,
            }
        }
    }
}

#[cfg(not(feature = "half"))]
mod half {
    use bytemuck::{Pod, Zeroable};
    use ndarray_memmap::Be;
    use ndarray_memmap::npy::{self, ByteOrder, Kind, NpyElement};
    use serde_json::Value;

    use crate::dtype::DType;
    use crate::element::{Item, float};

    #[derive(Clone, Copy, Pod, Zeroable)]
    #[repr(transparent)]
    pub(crate) struct Half(u16);

    #[derive(Clone, Copy, Pod, Zeroable)]
    #[repr(transparent)]
    pub(crate) struct BigHalf(Be<u16>);

    impl Item for Half {
        fn value(&self, _: &DType) -> Value {
            decode(self.0)
        }
    }

    impl Item for BigHalf {
        fn value(&self, _: &DType) -> Value {
            decode(self.0.get())
        }
    }

    impl NpyElement for Half {
        fn dtype() -> npy::DType {
            npy::DType::scalar(Kind::Float, ByteOrder::NATIVE, 2)
        }
    }

    impl NpyElement for BigHalf {
        fn dtype() -> npy::DType {
            npy::DType::scalar(Kind::Float, ByteOrder::Big, 2)
        }
    }

    /// Decodes IEEE 754 binary16: a sign, 5 bits of exponent, 10 of fraction.
    fn decode(bits: u16) -> Value {
        let sign = if bits >> 15 == 0 { 1.0 } else { -1.0 };
        let exponent = i32::from(bits >> 10 & 0x1f);
        let fraction = f64::from(bits & 0x3ff) / 1024.0;
        float(match exponent {
            0 => sign * fraction * 2.0_f64.powi(-14),
            31 if fraction == 0.0 => sign * f64::INFINITY,
            31 => f64::NAN,
            _ => sign * (1.0 + fraction) * 2.0_f64.powi(exponent.saturating_sub(15)),
        })
    }
}
