//! One case of the JSON file: every field is read, or the case is refused.

use serde_json::Value;

use crate::call::Call;
use crate::expect::{Expected, Facts, Outcome};
use crate::file::State;
use crate::json::{Fields, FromJson, Result};
use crate::op::Op;

/// A case of one of the groups `raw-…` and `npy-…`.
pub(crate) struct Case {
    pub(crate) advice: Advice,
    pub(crate) file: State,
    /// Permissions of the file.
    pub(crate) chmod: Option<u32>,
    /// Whether the case needs a user who is subject to permissions.
    pub(crate) requires_non_root: bool,
    pub(crate) call: Call,
    pub(crate) ops: Vec<(Op, Outcome)>,
    pub(crate) array_after: Option<Facts>,
    pub(crate) reopen: Option<(Call, Expected)>,
    /// The result of `numpy.load` for a new file.
    pub(crate) np_load: Option<Expected>,
    /// The file at the end, as NumPy left it.
    pub(crate) file_after: State,
    /// The result of NumPy.
    pub(crate) numpy: Expected,
    /// The expected results of this crate instead.
    pub(crate) rust: Vec<Expected>,
}

/// How NumPy's result applies to this crate.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Advice {
    Match,
    MatchKind,
    MatchValues,
    MatchLinux,
    LenientOk,
    Either,
    Looser,
    Stricter,
    StricterDefault,
    StricterRequired,
    TypedOut,
}

impl Case {
    pub(crate) fn read(value: &Value) -> Result<Self> {
        let mut fields = Fields::of("the case", value)?;
        fields.pass_over(&["id", "group", "title"]);
        let mut file = fields.object("file")?;
        let chmod = file.get::<String>("chmod")?;
        let chmod = chmod.map(|mode| u32::from_str_radix(&mode, 8)).transpose();
        let chmod = chmod.map_err(|e| format!("`chmod`: {e}"))?;
        let before = State::read(&mut file)?;
        let mut file_after = fields.object("file_after")?;
        let mut rust = fields.object("rust")?;
        rust.pass_over(&["note"]);
        let mut case = Self {
            advice: rust.need("advice")?,
            rust: read_rust(&mut rust)?,
            file_after: State::read_after(&mut file_after, &before)?,
            file: before,
            chmod,
            requires_non_root: fields.get("requires_non_root")?.unwrap_or_default(),
            call: Call::read(fields.object("call")?)?,
            ops: read_ops(&mut fields)?,
            array_after: read_facts(&mut fields, "array_after")?,
            reopen: read_reopen(&mut fields)?,
            np_load: read_np_load(&mut fields)?,
            numpy: Expected::read(fields.object("expect")?)?,
        };
        for object in [file, file_after, rust, fields] {
            object.done()?;
        }
        if matches!(case.call, Call::OpenMemmap(_))
            && case.call.creates().is_ok_and(|c| c)
        {
            case.keep_the_mode_of_creation();
        }
        Ok(case)
    }

    /// NumPy opens a `.npy` file again in mode `r+` after it has written the header.
    fn keep_the_mode_of_creation(&mut self) {
        let facts = self.rust.iter_mut().chain([&mut self.numpy]).map(|e| &mut e.facts);
        for facts in facts.chain(&mut self.array_after) {
            if let Some("r+") = facts.mode.as_deref() {
                facts.mode = Some("w+".into());
            }
        }
    }
}

fn read_rust(rust: &mut Fields) -> Result<Vec<Expected>> {
    let Some(expect) = rust.get::<Value>("expect")? else {
        return Ok(Vec::new());
    };
    let mut fields = Fields::of("expect", &expect)?;
    let Some(any_of) = fields.get::<Vec<Value>>("any_of")? else {
        return Ok(vec![Expected::read(fields)?]);
    };
    fields.done()?;
    let read = |value| Expected::read(Fields::of("any_of", value)?);
    any_of.iter().map(read).collect()
}

fn read_ops(fields: &mut Fields) -> Result<Vec<(Op, Outcome)>> {
    let ops: Vec<Value> = fields.get("ops")?.unwrap_or_default();
    let results: Vec<Value> = fields.get("ops_result")?.unwrap_or_default();
    if ops.len() != results.len() {
        return Err("`ops` and `ops_result` are not equally many".into());
    }
    let both = ops.iter().zip(&results).map(|(op, result)| {
        let mut result = Fields::of("ops_result", result)?;
        let outcome = Outcome::read(&mut result)?;
        result.done()?;
        Ok((Op::read(op)?, outcome))
    });
    both.collect()
}

fn read_facts(fields: &mut Fields, name: &'static str) -> Result<Option<Facts>> {
    let Some(value) = fields.get::<Value>(name)? else {
        return Ok(None);
    };
    let mut fields = Fields::of(name, &value)?;
    let facts = Facts::read(&mut fields)?;
    fields.done()?;
    Ok(Some(facts))
}

fn read_np_load(fields: &mut Fields) -> Result<Option<Expected>> {
    let value = fields.get::<Value>("np_load")?;
    value.map(|value| Expected::read(Fields::of("np_load", &value)?)).transpose()
}

fn read_reopen(fields: &mut Fields) -> Result<Option<(Call, Expected)>> {
    let call: Option<Value> = fields.get("reopen")?;
    let expect: Option<Value> = fields.get("reopen_expect")?;
    match (call, expect) {
        (None, None) => Ok(None),
        (Some(call), Some(expect)) => {
            let call = Call::read(Fields::of("reopen", &call)?)?;
            let expect = Expected::read(Fields::of("reopen_expect", &expect)?)?;
            Ok(Some((call, expect)))
        }
        _ => Err("`reopen` and `reopen_expect` go together".into()),
    }
}

impl FromJson for Advice {
    fn from_json(value: &Value) -> Option<Self> {
        Some(match value.as_str()? {
            "match" => Self::Match,
            "match-kind" => Self::MatchKind,
            "match-values" => Self::MatchValues,
            "match-linux" => Self::MatchLinux,
            "lenient-ok" => Self::LenientOk,
            "either" => Self::Either,
            "looser" => Self::Looser,
            "stricter" => Self::Stricter,
            "stricter-default" => Self::StricterDefault,
            "stricter-required" => Self::StricterRequired,
            "typed-out" => Self::TypedOut,
            _ => return None,
        })
    }
}
