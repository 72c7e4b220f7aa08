//! The functions of a component, in the one order everybody counts them in.

use wasmtime::Engine;
use wasmtime::component::types::{ComponentFunc, ComponentItem};
use wasmtime::component::{Component, ComponentExportIndex};

/// A function a component exports.
#[derive(Debug)]
pub struct Export {
    /// The interface it is in; `None` at the root.
    pub interface: Option<String>,
    /// Its name in WIT.
    pub name: String,
    /// Its type.
    pub ty: ComponentFunc,
    /// Where an instance has it.
    pub index: ComponentExportIndex,
}

/// The callable functions of `component`: those at the root and those one interface deep, as they
/// are declared, without the ones toolchains add for themselves.
pub fn exports(engine: &Engine, component: &Component) -> Vec<Export> {
    let mut found = Vec::new();
    let ty = component.component_type();
    for (name, item) in ty.exports(engine) {
        match item.ty {
            ComponentItem::ComponentFunc(function) if !is_toolchain_export(None, name) => {
                if let Some(index) = component.get_export_index(None, name) {
                    found.push(Export {
                        interface: None,
                        name: name.to_owned(),
                        ty: function,
                        index,
                    });
                }
            }
            ComponentItem::ComponentInstance(instance) => {
                let Some(outer) = component.get_export_index(None, name) else {
                    continue;
                };
                for (inner, item) in instance.exports(engine) {
                    let ComponentItem::ComponentFunc(function) = item.ty else {
                        continue;
                    };
                    if is_toolchain_export(Some(name), inner) {
                        continue;
                    }
                    if let Some(index) = component.get_export_index(Some(&outer), inner) {
                        found.push(Export {
                            interface: Some(name.to_owned()),
                            name: inner.to_owned(),
                            ty: function,
                            index,
                        });
                    }
                }
            }
            _ => {}
        }
    }
    found
}

/// componentize-py exports an instance `exports` with `init`; componentize-qjs a function `init`
/// at the root. Both are for the tool's own use while it builds.
fn is_toolchain_export(interface: Option<&str>, name: &str) -> bool {
    name == "init" && matches!(interface, None | Some("exports"))
}
