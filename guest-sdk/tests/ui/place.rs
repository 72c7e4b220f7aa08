//! The attribute in the wrong place, or with nothing to do.

#[proc_guest::module]
fn not_a_module() {}

#[proc_guest::module(name = "other")]
mod with_arguments {
    pub fn one() {}
}

#[proc_guest::module]
mod nothing_public {
    fn one() {}
}

fn main() {}
