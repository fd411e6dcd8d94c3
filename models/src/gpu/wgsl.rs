//! The parts that WGSL programs share: the declarations of their buffers, and entry points.

use std::fmt::Write;

/// Adds a line to a program.
pub fn line(to: &mut String, text: &str) {
    // Writing to a string does not fail.
    let _ = writeln!(to, "{text}");
}

/// Four values of a function of the index, as a vector.
pub fn vec4(of: impl Fn(usize) -> String) -> String {
    let each: Vec<String> = (0..4).map(of).collect();
    format!("vec4<f32>({})", each.join(", "))
}

/// Declares the type `Value`: four floats if values come in `vectors`, else one.
pub fn value_alias(vectors: bool) -> &'static str {
    if vectors { "alias Value = vec4<f32>;\n" } else { "alias Value = f32;\n" }
}

/// Declares storage buffers by name and element type, in the order in which
/// [`launch`](super::launch::launch) binds them, then the uniform `p` of the type `Params`, which
/// the program defines.
///
/// All are `read_write`: burn's allocator puts several tensors into one buffer, which WGSL must not
/// bind both for reading and for writing.
pub fn bindings(buffers: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (at, (name, ty)) in buffers.iter().enumerate() {
        line(
            &mut text,
            &format!("@group(0) @binding({at}) var<storage, read_write> {name}: array<{ty}>;"),
        );
    }
    line(&mut text, &format!("@group(0) @binding({}) var<uniform> p: Params;", buffers.len()));
    text
}

/// The entry point of a program whose `run(index)` handles one value per thread, in the dispatch
/// that [`grid`](super::launch::grid) gives for workgroups of this many threads.
pub fn per_value(threads: usize) -> String {
    format!(
        "@compute @workgroup_size({threads})
fn main(
    @builtin(workgroup_id) id: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) thread: u32,
) {{
    run((id.y * groups.x + id.x) * {threads}u + thread);
}}
"
    )
}

/// The entry point of a program whose `run(id, thread)` handles the share of a thread of workgroup
/// `id`.
pub fn per_group(threads: usize) -> String {
    format!(
        "@compute @workgroup_size({threads})
fn main(@builtin(workgroup_id) id: vec3<u32>, @builtin(local_invocation_index) thread: u32) {{
    run(id, thread);
}}
"
    )
}
