//! The interface as WIT text.

use std::fmt::Write;

use crate::function::{Function, Outcome, ParameterKind};
use crate::module::Module;
use crate::name::{self, escaped};
use crate::value::{Definition, Shape, Value};

/// The package with its one world.
pub(crate) fn print(module: &Module) -> String {
    let mut out = Text(String::new());
    let name = escaped(&module.kebab);
    out.line(0, &format!("package guest:{name};"));
    out.line(0, "");
    out.docs(0, &module.docs);
    out.line(0, &format!("world {name} {{"));
    for definition in &module.types {
        out.definition(definition, &module.types);
    }
    for function in &module.functions {
        out.function(function, &module.types);
    }
    out.line(0, "}");
    out.0
}

struct Text(String);

impl Text {
    fn line(&mut self, depth: usize, text: &str) {
        for _ in 0..depth {
            self.0.push_str("    ");
        }
        self.0.push_str(text);
        self.0.push('\n');
    }

    fn docs(&mut self, depth: usize, docs: &[String]) {
        for line in docs {
            self.line(depth, &format!("///{line}"));
        }
    }

    fn definition(&mut self, definition: &Definition, types: &[Definition]) {
        self.docs(1, &definition.docs);
        let name = escaped(&definition.kebab);
        match &definition.shape {
            Shape::Record(fields) => {
                self.line(1, &format!("record {name} {{"));
                for field in fields {
                    self.docs(2, &field.docs);
                    let ty = ty(&field.value, types);
                    self.line(2, &format!("{}: {ty},", escaped(&field.kebab)));
                }
                self.line(1, "}");
            }
            Shape::Alias(value) => self.line(1, &format!("type {name} = {};", ty(value, types))),
            Shape::Enum(cases) | Shape::Variant(cases) => {
                let keyword = if matches!(definition.shape, Shape::Enum(_)) {
                    "enum"
                } else {
                    "variant"
                };
                self.line(1, &format!("{keyword} {name} {{"));
                for case in cases {
                    self.docs(2, &case.docs);
                    let payload = case.payload.as_ref();
                    let payload = payload.map(|value| format!("({})", ty(value, types)));
                    self.line(
                        2,
                        &format!("{}{},", escaped(&case.kebab), payload.unwrap_or_default()),
                    );
                }
                self.line(1, "}");
            }
        }
    }

    fn function(&mut self, function: &Function, types: &[Definition]) {
        self.docs(1, &function.docs);
        let mut line = format!("export {}: ", escaped(&function.kebab));
        // A generator feeds its own stream, which a sync function would wait for without end.
        if function.is_async || matches!(function.result, Outcome::Generator(_)) {
            line.push_str("async ");
        }
        line.push_str("func(");
        for (index, parameter) in function.parameters.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            let ty = match &parameter.kind {
                ParameterKind::Value { value, .. } => ty(value, types),
                ParameterKind::Stream(item) => format!("stream<{}>", ty(item, types)),
            };
            // Writing to a String cannot fail.
            let _ = write!(line, "{separator}{}: {ty}", escaped(&parameter.kebab));
        }
        line.push(')');
        match &function.result {
            Outcome::Nothing => {}
            Outcome::Value(value) => {
                let _ = write!(line, " -> {}", ty(value, types));
            }
            Outcome::Generator(generator) => {
                let item = ty(&generator.item, types);
                let _ = match &generator.error {
                    None => write!(line, " -> stream<{item}>"),
                    Some(error) => {
                        let end = result(None, error.as_ref(), types);
                        write!(line, " -> tuple<stream<{item}>, future<{end}>>")
                    }
                };
            }
        }
        line.push(';');
        self.line(1, &line);
    }
}

fn ty(value: &Value, types: &[Definition]) -> String {
    match value {
        Value::Plain(name) => (*name).to_owned(),
        Value::List(item) => format!("list<{}>", ty(item, types)),
        Value::Map(key, value) => format!("list<tuple<{}, {}>>", ty(key, types), ty(value, types)),
        Value::Option(some) => format!("option<{}>", ty(some, types)),
        Value::Result(ok, err) => result(ok.as_deref(), err.as_deref(), types),
        Value::Tuple(values) => {
            let values: Vec<String> = values.iter().map(|value| ty(value, types)).collect();
            format!("tuple<{}>", values.join(", "))
        }
        Value::Named(ident) => {
            let found = types.iter().find(|definition| definition.ident == *ident);
            found
                .map(|definition| name::escaped(&definition.kebab))
                .unwrap_or_default()
        }
    }
}

fn result(ok: Option<&Value>, err: Option<&Value>, types: &[Definition]) -> String {
    match (ok, err) {
        (None, None) => "result".to_owned(),
        (Some(ok), None) => format!("result<{}>", ty(ok, types)),
        (None, Some(err)) => format!("result<_, {}>", ty(err, types)),
        (Some(ok), Some(err)) => format!("result<{}, {}>", ty(ok, types), ty(err, types)),
    }
}

#[cfg(test)]
mod tests {
    use syn::parse_quote;

    use super::print;
    use crate::module::Module;

    #[test]
    fn a_module_as_wit() {
        let module = Module::read(&parse_quote! {
            /// A shop.
            mod corner_shop {
                use std::collections::BTreeMap;

                pub struct Id(u64);

                /// What is sold.
                pub struct Product {
                    pub id: Id,
                    /// In cents.
                    pub r#type: Kind,
                    pub tags: Vec<String>,
                }

                pub enum Kind { Food, HTTPServer }

                pub enum Event { Closed, Sold(Product, u32), Returned(Id) }

                type Prices = BTreeMap<String, f32>;

                /// Nobody mentions it.
                pub struct Forgotten<T>(T);

                /// Adds one.
                ///
                /// And returns how many.
                pub fn add(product: Product, from: Option<(i8, char)>) -> Result<u32, Kind> {}
                pub fn prices() -> Prices {}
                pub fn read(bytes: &[u8], name: &str) {}
                pub async fn nap() -> Result<(), ()> {}
                pub fn events(mut _since: u64) -> impl Iterator<Item = Event> + '_ {}
                pub async fn watch(ids: Stream<Id>) -> impl futures::Stream<Item = Result<Event, String>> {}
                pub fn boxed() -> Box<dyn Iterator<Item = Result<bool, ()>>> {}
                pub(crate) fn hidden(whatever: std::time::Duration) {}
                fn private<T>(whatever: T) {}
            }
        });
        let expected = "\
package guest:corner-shop;

/// A shop.
world corner-shop {
    type id = u64;
    enum kind {
        food,
        http-server,
    }
    /// What is sold.
    record product {
        id: id,
        /// In cents.
        %type: kind,
        tags: list<string>,
    }
    variant event {
        closed,
        sold(tuple<product, u32>),
        returned(id),
    }
    /// Adds one.
    ///
    /// And returns how many.
    export add: func(product: product, %from: option<tuple<s8, char>>) -> result<u32, kind>;
    export prices: func() -> list<tuple<string, f32>>;
    export read: func(bytes: list<u8>, name: string);
    export nap: async func() -> result;
    export events: async func(since: u64) -> stream<event>;
    export watch: async func(ids: stream<id>) -> tuple<stream<event>, future<result<_, string>>>;
    export boxed: async func() -> tuple<stream<bool>, future<result>>;
}
";
        assert_eq!(print(&module.expect("the module is good")), expected);
    }
}
