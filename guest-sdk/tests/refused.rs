//! What the macro refuses, it refuses with a message at the place of the mistake.

#[test]
fn bad_modules() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("tests/ui/*.rs");
}
