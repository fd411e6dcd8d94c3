//! The limits of an adapter.

use burn::backend::wgpu::CubeTensor;

/// What an adapter can run.
#[derive(Clone, Copy, Debug)]
pub struct Machine {
    /// Workgroups that keep it busy.
    pub groups: usize,
    /// Most bytes of workgroup memory.
    pub memory: usize,
    /// Most threads of a workgroup.
    pub threads: usize,
}

impl Machine {
    /// The adapter of a tensor.
    pub fn of(tensor: &CubeTensor) -> Machine {
        let hardware = &tensor.client.properties().hardware;
        Machine {
            // Two workgroups for each of the 132 cores of an H200. Smaller GPUs lose little by a
            // few more than needed.
            groups: 264,
            memory: hardware.max_shared_memory_size,
            threads: hardware.max_units_per_cube as usize,
        }
    }
}
