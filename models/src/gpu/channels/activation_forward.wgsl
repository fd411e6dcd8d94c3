
// A function of every value.
fn run(id: vec3<u32>, thread: u32) {
    let own = share(id, thread);
    for (var at = own.first; at < own.last; at += ROWS) {
        y[at] = activation(x[at]);
    }
}
