
// The gradient by a function's input, from its output.
fn run(id: vec3<u32>, thread: u32) {
    let own = share(id, thread);
    for (var at = own.first; at < own.last; at += ROWS) {
        dx[at] = dy[at] * derivative(y[at]);
    }
}
