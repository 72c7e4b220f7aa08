//! The plan of one export, made when its module is loaded.
//!
//! Owns: what its parameters and result are. May not know: instances; one signature serves all.

use std::sync::Arc;

use bytes::Bytes;
use proc_host_wire::AttachmentKind;
use proc_host_wire::cbor::Kind;
use wasmtime::component::{ResourceType, Type};

use super::arguments::Arguments;
use super::check::Checker;
use super::error::{ArgumentError, Mismatch};
use super::shape::{Compiler, Shape, Unsupported};

/// What a function takes and gives.
#[derive(Debug)]
pub struct Signature {
    parameters: Box<[(Box<str>, Arc<Shape>)]>,
    /// How many core values the result is, up to one more than can be returned flat.
    flat_results: u32,
    resources: Box<[ResourceType]>,
}

impl Signature {
    /// Plans a function from its types; no instance is needed.
    ///
    /// # Errors
    /// If a value of one of the types cannot be carried.
    pub fn new<'a>(
        parameters: impl Iterator<Item = (&'a str, Type)>,
        result: Option<Type>,
    ) -> Result<Signature, Unsupported> {
        let mut compiler = Compiler::new();
        let parameters = parameters
            .map(|(name, ty)| Ok((name.into(), compiler.shape(&ty)?)))
            .collect::<Result<Box<[_]>, Unsupported>>()?;
        let resources = std::mem::take(&mut compiler.resources).into();
        compiler.handles_in_items = true;
        let result = result.map(|ty| compiler.shape(&ty)).transpose()?;
        let flat_results = result.map_or(0, |shape| shape.flat);
        Ok(Signature {
            parameters,
            flat_results,
            resources,
        })
    }

    /// How many parameters there are.
    pub fn parameter_count(&self) -> usize {
        self.parameters.len()
    }

    /// Checks a call's arguments whole: an array by position, or a map by parameter name.
    ///
    /// Options at the end of the array, and anywhere in the map, may be left out. What passes can
    /// be lowered; only the guest's own allocator can still fail.
    ///
    /// # Errors
    /// At the first value that does not fit, naming its place.
    pub fn arguments(
        &self,
        body: Bytes,
        attachments: &[AttachmentKind],
    ) -> Result<Arguments, ArgumentError> {
        let mut checker = Checker::new(&body, attachments);
        let mut starts = vec![None; self.parameters.len()];
        match checker
            .reader
            .peek()
            .map_err(|e| Mismatch::from(e).in_arguments())?
        {
            Kind::Map => self.named(&mut checker, &mut starts)?,
            Kind::Array => self.positional(&mut checker, &mut starts)?,
            found => {
                let what = format!("expected an array or a map of arguments, found {found}");
                return Err(Mismatch::new(what).in_arguments());
            }
        }
        checker
            .reader
            .finish()
            .map_err(|e| Mismatch::from(e).in_arguments())?;
        let uses = checker.into_uses();
        Ok(Arguments { body, starts, uses })
    }

    fn positional(
        &self,
        checker: &mut Checker<'_>,
        starts: &mut [Option<usize>],
    ) -> Result<(), ArgumentError> {
        let given = checker
            .reader
            .array()
            .map_err(|e| Mismatch::from(e).in_arguments())?;
        let omitted = self.parameters.get(given..);
        if !omitted.is_some_and(|rest| rest.iter().all(|(_, shape)| shape.is_option())) {
            let takes = self.parameters.len();
            let what = format!("the function takes {takes} arguments, {given} were given");
            return Err(Mismatch::new(what).in_arguments());
        }
        for (index, (name, shape)) in self.parameters.iter().take(given).enumerate() {
            starts[index] = Some(checker.reader.position());
            checker
                .value(shape)
                .map_err(|m| m.in_parameter(index + 1, name))?;
        }
        Ok(())
    }

    fn named(
        &self,
        checker: &mut Checker<'_>,
        starts: &mut [Option<usize>],
    ) -> Result<(), ArgumentError> {
        let given = checker
            .reader
            .map()
            .map_err(|e| Mismatch::from(e).in_arguments())?;
        let mut current = None;
        let mut found = |index: usize, start: usize| {
            starts[index] = Some(start);
            current = Some((index, start));
        };
        let checked = checker.fields(&self.parameters, given, "argument", &mut found);
        checked.map_err(|m| match (m.is_nested(), current) {
            (true, Some((index, _))) => m
                .unnested()
                .in_parameter(index + 1, &self.parameters[index].0),
            _ => m.in_arguments(),
        })
    }

    pub(crate) fn flat_results(&self) -> u32 {
        self.flat_results
    }

    /// The resource types of the parameters, in the order they are written.
    pub(crate) fn resources(&self) -> &[ResourceType] {
        &self.resources
    }
}
