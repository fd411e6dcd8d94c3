//! An open device and its errors.

use std::boxed::Box;
use std::panic::{self, AssertUnwindSafe};
use std::string::{String, ToString};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::vec::Vec;

use super::adapter::{self, Adapter};
use super::error::GpuError;
use super::trusted;

/// A device, its queue, and the first error since the last check.
pub struct Device {
    pub raw: wgpu::Device,
    pub queue: wgpu::Queue,
    error: FirstError,
    /// Whether it can take timestamps.
    pub clock: bool,
    /// Whether it is software with subgroups of eight threads, which has its own kernel.
    pub eight: bool,
    pub limits: Limits,
    /// Whether kernels may read and write what the CPU maps.
    pub direct: bool,
    /// Whether spinning for a moment takes no time from the device.
    spin: bool,
}

/// Limits of a workgroup.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub threads: usize,
    /// Bytes of shared memory.
    pub memory: usize,
    /// Whether there are matrix units for 16-bit floats.
    pub matrices: bool,
}

/// A buffer that the CPU has asked to map.
pub struct Mapping(Arc<OnceLock<Result<(), wgpu::BufferAsyncError>>>);

/// How long to spin before sleeping: waking up costs as much as a small face.
const SPIN: Duration = Duration::from_millis(2);

/// wgpu reports errors by callbacks, from any thread.
type FirstError = Arc<Mutex<Option<String>>>;

fn report(error: &FirstError, what: String) {
    let mut error = error.lock().unwrap_or_else(PoisonError::into_inner);
    error.get_or_insert(what);
}

impl Device {
    /// Opens an adapter with all its limits, and with 16-bit floats if `half`.
    ///
    /// # Errors
    /// [`GpuError::Driver`].
    pub fn open(adapter: &Adapter, half: bool) -> Result<Device, GpuError> {
        let clock = adapter.handle.features() & wgpu::Features::TIMESTAMP_QUERY;
        let mut features = clock;
        features.set(wgpu::Features::SHADER_F16, half);
        let info = adapter.handle.get_info();
        let eight = adapter.kind == adapter::Kind::Software
            && (info.subgroup_min_size, info.subgroup_max_size) == (8, 8)
            && adapter.handle.features().contains(wgpu::Features::SUBGROUP);
        features.set(wgpu::Features::SUBGROUP, eight);
        features |= adapter.handle.features() & wgpu::Features::MAPPABLE_PRIMARY_BUFFERS;
        let limits = adapter.handle.limits();
        let matrices = half && has_matrices(&adapter.handle, &info);
        features.set(wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX, matrices);
        let experimental_features = match matrices {
            true => trusted::experimental(),
            false => wgpu::ExperimentalFeatures::disabled(),
        };
        let opened = pollster::block_on(adapter.handle.request_device(&wgpu::DeviceDescriptor {
            required_features: features,
            experimental_features,
            required_limits: adapter.handle.limits(),
            // A generator and its maps are no more than a few megabytes.
            memory_hints: wgpu::MemoryHints::MemoryUsage,
            ..wgpu::DeviceDescriptor::default()
        }));
        let (raw, queue) = opened.map_err(|e| GpuError::Driver(e.to_string()))?;
        let error = FirstError::default();
        let (errors, lost) = (error.clone(), error.clone());
        raw.on_uncaptured_error(Arc::new(move |e: wgpu::Error| report(&errors, e.to_string())));
        raw.set_device_lost_callback(move |_, why| {
            report(&lost, std::format!("the device is lost: {why}"))
        });
        let clock = !clock.is_empty();
        Ok(Device {
            raw,
            queue,
            error,
            clock,
            eight,
            limits: Limits {
                threads: limits
                    .max_compute_invocations_per_workgroup
                    .min(limits.max_compute_workgroup_size_x) as usize,
                memory: limits.max_compute_workgroup_storage_size as usize,
                matrices,
            },
            direct: features.contains(wgpu::Features::MAPPABLE_PRIMARY_BUFFERS),
            spin: adapter.is_real(),
        })
    }

    /// Whether there was no error since the last check.
    ///
    /// # Errors
    /// [`GpuError::Driver`] with the first error, on one line.
    pub fn check(&self) -> Result<(), GpuError> {
        let mut error = self.error.lock().unwrap_or_else(PoisonError::into_inner);
        match error.take() {
            Some(what) => Err(GpuError::Driver(one_line(&what))),
            None => Ok(()),
        }
    }

    /// A buffer of the given number of bytes, which may be 0.
    pub fn buffer(&self, bytes: u64, usage: wgpu::BufferUsages) -> wgpu::Buffer {
        self.raw.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: bytes.next_multiple_of(16).max(16),
            usage,
            mapped_at_creation: false,
        })
    }

    /// A buffer with these bytes; their number is a multiple of four.
    pub fn upload(&self, bytes: &[u8], usage: wgpu::BufferUsages) -> wgpu::Buffer {
        let buffer = self.buffer(bytes.len() as u64, usage | wgpu::BufferUsages::COPY_DST);
        self.queue.write_buffer(&buffer, 0, bytes);
        buffer
    }

    /// Asks for a buffer to be mapped once the device is done with it.
    pub fn map(&self, buffer: &wgpu::Buffer, mode: wgpu::MapMode) -> Mapping {
        let done = Mapping(Arc::default());
        let result_of = done.0.clone();
        buffer.map_async(mode, .., move |result| {
            // The callback runs once.
            let _ = result_of.set(result);
        });
        done
    }

    /// Waits until buffers that `submission` uses are mapped.
    ///
    /// # Errors
    /// [`GpuError::Driver`].
    pub fn mapped(
        &self,
        mappings: &[&Mapping],
        submission: &wgpu::SubmissionIndex,
    ) -> Result<(), GpuError> {
        self.check()?;
        let done = || mappings.iter().all(|m| m.0.get().is_some());
        let start = Instant::now();
        let waited = quietly(|| {
            while self.spin && !done() && start.elapsed() < SPIN {
                self.raw.poll(wgpu::PollType::Poll)?;
                std::thread::yield_now();
            }
            match done() {
                true => Ok(wgpu::PollStatus::QueueEmpty),
                false => self.raw.poll(wgpu::PollType::Wait {
                    submission_index: Some(submission.clone()),
                    timeout: None,
                }),
            }
        })?;
        waited.map_err(|e| GpuError::Driver(e.to_string()))?;
        self.check()?;
        for mapping in mappings {
            match mapping.0.get() {
                Some(Ok(())) => {}
                Some(Err(error)) => return Err(GpuError::Driver(one_line(&error.to_string()))),
                None => return Err(GpuError::Driver("a buffer was not mapped".into())),
            }
        }
        Ok(())
    }

    /// Reads the first `bytes` of a mapped buffer, and unmaps it.
    ///
    /// # Errors
    /// [`GpuError::Driver`].
    pub fn view<T>(
        &self,
        buffer: &wgpu::Buffer,
        bytes: u64,
        with: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, GpuError> {
        let view = buffer.get_mapped_range(..bytes);
        let view = view.map_err(|e| GpuError::Driver(one_line(&e.to_string())))?;
        let result = with(&view);
        drop(view);
        buffer.unmap();
        Ok(result)
    }

    /// Reads the first `bytes` of a buffer of [`wgpu::BufferUsages::MAP_READ`], once `submission`
    /// is done.
    ///
    /// # Errors
    /// [`GpuError::Driver`].
    pub fn read<T>(
        &self,
        buffer: &wgpu::Buffer,
        bytes: u64,
        submission: &wgpu::SubmissionIndex,
        with: impl FnOnce(&[u8]) -> T,
    ) -> Result<T, GpuError> {
        let mapping = self.map(buffer, wgpu::MapMode::Read);
        self.mapped(&[&mapping], submission)?;
        self.view(buffer, bytes, with)
    }

    /// Waits for everything that was submitted.
    ///
    /// # Errors
    /// [`GpuError::Driver`].
    pub fn wait(&self) -> Result<(), GpuError> {
        let waited = quietly(|| self.raw.poll(wgpu::PollType::wait_indefinitely()))?;
        waited.map_err(|e| GpuError::Driver(e.to_string()))?;
        Ok(())
    }
}

/// wgpu 30 panics in `Device::poll` if a device is lost while it is waited for, and in no other
/// call made here: the panic becomes an error, and its message is not printed.
fn quietly<T>(work: impl FnOnce() -> T) -> Result<T, GpuError> {
    let hook = panic::take_hook();
    panic::set_hook(Box::new(|_| ()));
    let result = panic::catch_unwind(AssertUnwindSafe(work));
    panic::set_hook(hook);
    result.map_err(|payload| {
        let text = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied());
        GpuError::Driver(one_line(text.unwrap_or("no reason given")))
    })
}

/// Whether subgroups of 32 threads multiply matrices of 16 by 16 16-bit floats, with 32-bit sums.
fn has_matrices(adapter: &wgpu::Adapter, info: &wgpu::AdapterInfo) -> bool {
    use wgpu::CooperativeScalarType::{F16, F32};
    let feature = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX;
    (info.subgroup_min_size, info.subgroup_max_size) == (32, 32)
        && adapter.features().contains(feature)
        && adapter
            .cooperative_matrix_properties()
            .iter()
            .any(|m| (m.m_size, m.n_size, m.k_size, m.ab_type, m.cr_type) == (16, 16, 16, F16, F32))
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
