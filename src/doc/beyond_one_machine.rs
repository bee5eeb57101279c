//! Beyond one machine.
