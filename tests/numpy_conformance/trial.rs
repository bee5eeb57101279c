//! Trials of a case: a file is created, mapped, changed and compared.

use std::fs;
use std::path::Path;
use std::str::FromStr;

use ndarray_memmap::{Error, Mode};

use crate::array::{Array, Refusal};
use crate::call::{Call, Memmap};
use crate::case::{Advice, Case};
use crate::element;
use crate::expect::{Expected, Facts, Outcome};
use crate::file::{State, compare_bytes, compare_size};
use crate::json::Result;
use crate::npy::{NpyRequest, Opened};
use crate::ways;

/// One possible result of a case.
pub(crate) struct Trial {
    expected: Expected,
    file: FileAfter,
    /// Whether growth is allowed: NumPy's `r+` extends a file without an option.
    pub(crate) grow: bool,
}

/// The file after a trial.
enum FileAfter {
    Is(State),
    HasSize(u64),
    /// NumPy's file does not apply; the trial checks only that the file can be read back.
    Unknown,
}

/// The size above which a new file is made sparse.
const LARGE: u64 = 1 << 24;

impl Trial {
    /// Lists the trials of a case: one trial without growth must pass, and every trial with growth.
    pub(crate) fn all(case: &Case) -> Result<Vec<Self>> {
        use Advice as A;
        let numpys = vec![case.numpy.clone()];
        let given: Vec<_> =
            case.rust.iter().map(|rust| rust.or_as(&case.numpy)).collect();
        let expected = match case.advice {
            A::Match | A::MatchKind | A::MatchValues | A::MatchLinux
                if case.rust.is_empty() =>
            {
                numpys
            }
            A::LenientOk => {
                let kinds = vec!["header_syntax".into(), "header_descr".into()];
                let outcome = Outcome { ok: false, kinds };
                let refused =
                    Expected { outcome, file_unchanged: true, ..Expected::default() };
                [numpys, vec![refused], given].concat()
            }
            _ if case.rust.is_empty() => return Err("no `expect` in `rust`".into()),
            advice if case.rust.len() > 1 && advice != A::Either => {
                return Err("`any_of` without `either`".into());
            }
            _ => given,
        };
        if case.advice == A::MatchKind && expected.iter().any(|e| e.outcome.ok) {
            return Err("advice `match-kind` for a success".into());
        }
        let trials =
            expected.into_iter().map(|expected| Self::new(case, expected, false));
        let mut trials = trials.collect::<Result<Vec<_>>>()?;
        if Self::can_grow(case, &trials) {
            trials.push(Self::new(case, case.numpy.clone(), true)?);
        }
        Ok(trials)
    }

    /// Returns whether growth is the only difference from Rust's defaults.
    fn can_grow(case: &Case, trials: &[Self]) -> bool {
        let too_small = |trial: &Self| {
            trial.expected.outcome.kinds.iter().any(|kind| kind == "file_too_small")
        };
        case.advice == Advice::StricterDefault
            && matches!(case.call, Call::Memmap(_))
            && case.numpy.outcome.ok
            && trials.iter().all(too_small)
    }

    fn new(case: &Case, expected: Expected, grow: bool) -> Result<Self> {
        let as_numpy = expected.outcome.ok == case.numpy.outcome.ok
            && (expected.outcome.ok || case.rust.is_empty());
        let file = if let Some(size) = expected.file_size {
            FileAfter::HasSize(size)
        } else if expected.file_unchanged
            || !expected.outcome.ok && (!as_numpy || case.advice == Advice::MatchKind)
        {
            FileAfter::Is(case.file.clone())
        } else if as_numpy {
            FileAfter::Is(case.file_after.clone())
        } else {
            unaided(case)?
        };
        Ok(Self { expected, file, grow })
    }

    /// Maps the existing file of a case and compares the arrays.
    pub(crate) fn run(&self, case: &Case, path: &Path) -> Result<()> {
        let opened = self.open(&case.call, path)?;
        let ways = self.compare_ways(case, path, &opened);
        let opened = compare_opened(opened, &self.expected.outcome)?;
        ways?;
        let Some(opened) = opened else {
            return Ok(());
        };
        let Opened { mut array, dtype } = opened;
        self.expected.facts.compare(array.as_mut(), &dtype)?;
        let mut array = Some(array);
        for (at, (op, outcome)) in case.ops.iter().enumerate() {
            let done = op.run(&mut array, path, outcome);
            done.map_err(|reason| format!("op {at}: {reason}"))?;
        }
        if let Some(facts) = &case.array_after {
            let open = array.as_mut().ok_or("`array_after` of a dropped array")?;
            let compared = facts.compare(open.as_mut(), &dtype);
            compared.map_err(|reason| format!("after the operations, {reason}"))?;
        }
        if let Some(open) = &array {
            self.compare_patches(open.as_ref())?;
        }
        if let Some((call, expected)) = &case.reopen {
            let reopened = compare_again(self.open(call, path)?, expected);
            reopened.map_err(|reason| format!("opened again, {reason}"))?;
        }
        if let Some(expected) = &case.np_load {
            let mut expected = expected.clone();
            if let Some(open) = &array {
                expected.facts = expected.facts.or(&Facts::seen(open.as_ref(), &dtype));
            }
            let loaded = NpyRequest::of(Mode::ReadOnly, None).open(path);
            let compared = compare_again(tell_apart(loaded)?, &expected);
            compared.map_err(|reason| format!("read back, {reason}"))?;
        }
        Ok(())
    }

    /// Compares the file after a trial.
    pub(crate) fn compare_file(&self, path: &Path) -> Result<()> {
        match &self.file {
            FileAfter::Is(state) => state.compare(path),
            FileAfter::HasSize(size) => {
                let found = fs::metadata(path).map_err(|e| format!("no file: {e}"))?;
                compare_size(Some(*size), found.len())
            }
            FileAfter::Unknown => Ok(()),
        }
    }

    fn open(&self, call: &Call, path: &Path) -> Result<Result<Opened, Error>> {
        let mode = match Mode::from_str(call.mode()?) {
            Ok(mode) => mode,
            Err(error) => return Ok(Err(error)),
        };
        let call = match call {
            Call::Memmap(call) => call,
            Call::OpenMemmap(call) => {
                let mut request = call.request(mode)?;
                request.sparse = self.is_sparse();
                return tell_apart(request.open(path));
            }
        };
        let mut request = call.request(mode)?;
        request.grow = self.grow;
        request.sparse = self.is_sparse();
        let dtype = call.dtype()?;
        let open = element::opener(&dtype);
        let open = open.ok_or_else(|| format!("no element type for {dtype:?}"))?;
        Ok(open(&request, path).map(|array| Opened { array, dtype }))
    }

    fn is_sparse(&self) -> bool {
        matches!(self.file, FileAfter::Is(State::Sparse { .. }))
    }

    /// Compares the results of the other ways to open a `.npy` file.
    fn compare_ways(
        &self,
        case: &Case,
        path: &Path,
        opened: &Result<Opened, Error>,
    ) -> Result<()> {
        let (Call::OpenMemmap(call), Ok(mode)) =
            (&case.call, Mode::from_str(case.call.mode()?))
        else {
            return Ok(());
        };
        let request = call.request(mode)?;
        match opened {
            Ok(opened) => ways::compare_opened(&request, path, opened),
            Err(error) => {
                let refused = (error, &self.expected.outcome);
                ways::compare_refused(&request, path, refused, &case.numpy.facts)
            }
        }
    }

    /// Compares an array that is too large for the case to contain.
    fn compare_patches(&self, array: &dyn Array) -> Result<()> {
        let (None, FileAfter::Is(State::Sparse { patches, .. }), Some(memory)) =
            (&self.expected.facts.bytes, &self.file, array.memory())
        else {
            return Ok(());
        };
        for patch in patches {
            let start = patch.at.checked_sub(array.offset());
            let start = start.and_then(|start| usize::try_from(start).ok());
            let part = start.and_then(|start| memory.get(start..));
            let part = part.and_then(|part| part.get(..patch.bytes.len()));
            let what = format!("the array from byte {} of the file on", patch.at);
            compare_bytes(&what, &patch.bytes, part.unwrap_or_default())?;
        }
        Ok(())
    }
}

fn compare_opened(
    opened: Result<Opened, Error>,
    expected: &Outcome,
) -> Result<Option<Opened>> {
    match opened {
        Ok(opened) if expected.ok => Ok(Some(opened)),
        Ok(_) => Err(format!("opened instead of {:?}", expected.kinds)),
        Err(error) if expected.ok => Err(format!("refused: {error} ({error:?})")),
        Err(error) => expected.compare(&error).map(|()| None),
    }
}

/// Compares the result of another call.
fn compare_again(opened: Result<Opened, Error>, expected: &Expected) -> Result<()> {
    match compare_opened(opened, &expected.outcome)? {
        Some(Opened { mut array, dtype }) => {
            expected.facts.compare(array.as_mut(), &dtype)
        }
        None => Ok(()),
    }
}

/// Separates the errors of the crate from those of the case.
fn tell_apart(opened: Result<Opened, Refusal>) -> Result<Result<Opened, Error>> {
    match opened {
        Ok(opened) => Ok(Ok(opened)),
        Err(Refusal::Error(error)) => Ok(Err(error)),
        Err(Refusal::Misuse(reason)) => Err(reason),
    }
}

/// Computes the file after a call that only Rust accepts.
fn unaided(case: &Case) -> Result<FileAfter> {
    if !case.call.creates()? {
        return Ok(FileAfter::Is(case.file.clone()));
    }
    match &case.call {
        Call::Memmap(call) => zeros(call).map(FileAfter::Is),
        Call::OpenMemmap(_) => Ok(FileAfter::Unknown),
    }
}

fn zeros(call: &Memmap) -> Result<State> {
    let shape = call.shape()?.ok_or("a new file without a shape")?;
    let size =
        shape.iter().copied().try_fold(call.dtype()?.item_size(), usize::checked_mul);
    let size = size.and_then(|size| u64::try_from(size).ok());
    let size = size.and_then(|size| size.checked_add(call.offset().ok()?));
    let size = size.ok_or("a new file that is too large")?;
    Ok(match usize::try_from(size) {
        Ok(len) if size < LARGE => State::Bytes(vec![0; len]),
        _ => State::Sparse { size, patches: Vec::new() },
    })
}
