//! What a caller gets from a function, by its WIT type.

use proc_host_wire::control::FunctionInfo;
use proc_host_wire::interface::{Interface, Type, TypeId};

use crate::generator::next_method;

/// What comes back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Returns {
    /// Where it returns.
    pub returned: Returned,
    /// What it raises, where it can and that is something.
    pub raised: Option<TypeId>,
}

/// What a function returns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returned {
    /// One value, or nothing.
    Value(Option<TypeId>),
    /// Items of this type; it is a generator.
    Items(Option<TypeId>),
}

impl Returns {
    /// Of a function as the host describes it.
    pub fn of(info: &FunctionInfo) -> Returns {
        let interface = &info.interface;
        let function = interface.functions.get(info.function as usize);
        let Some(result) = function.and_then(|function| function.result) else {
            return Returns {
                returned: Returned::Value(None),
                raised: None,
            };
        };
        let (ok, raised) = match interface.ty(result) {
            Type::Result { ok, err } => (*ok, *err),
            _ => (Some(result), None),
        };
        let Some(ok) = ok else {
            return Returns {
                returned: Returned::Value(None),
                raised,
            };
        };
        if let Some((item, late)) = stream(interface, ok) {
            return Returns {
                returned: Returned::Items(item),
                raised: raised.or(late),
            };
        }
        let next = match interface.ty(ok) {
            Type::Own(_) => next_method(info),
            _ => None,
        };
        let returned = match next {
            Some(next) => Returned::Items(Some(next.item)),
            None => Returned::Value(Some(ok)),
        };
        Returns { returned, raised }
    }
}

/// The items of a stream, and what raises at its end.
fn stream(interface: &Interface, id: TypeId) -> Option<(Option<TypeId>, Option<TypeId>)> {
    match interface.ty(id) {
        Type::Stream(item) => Some((*item, None)),
        Type::Tuple(parts) => match *parts.as_slice() {
            [items, end] => match (interface.ty(items), interface.ty(end)) {
                (Type::Stream(item), Type::Future(Some(end))) => match interface.ty(*end) {
                    Type::Result { ok: None, err } => Some((*item, *err)),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        },
        _ => None,
    }
}
