//! The GPU that the built-in llama.cpp computes on (features `cuda`, `vulkan`; `metal` on every Mac of Apple's own chips).

use crate::device::BackendKind;
use llama_cpp_2::{LlamaBackendDevice, LlamaBackendDeviceType, list_llama_ggml_backend_devices};

/// One GPU, as ggml lists it.
#[derive(Debug, Clone)]
pub struct Gpu(LlamaBackendDevice);

impl Gpu {
    /// The first device of a backend: a card before a GPU that shares the CPU's memory.
    pub(super) fn find(backend: BackendKind) -> Option<Self> {
        let mut devices = list_llama_ggml_backend_devices();
        devices.retain(|device| is(device, backend));
        let card = devices
            .iter()
            .position(|device| device.device_type == LlamaBackendDeviceType::Gpu);
        (!devices.is_empty()).then(|| Self(devices.swap_remove(card.unwrap_or(0))))
    }

    /// Its place in ggml's list.
    pub(super) const fn index(&self) -> usize {
        self.0.index
    }

    /// Rate at which `bytes` of ordinary memory are copied to it, bytes per second, the best of `repeats`; none where llama.cpp copies
    /// nothing but computes on the pages of the file (Metal), or where the GPU has no room.
    ///
    /// This is the call with which llama.cpp loads weights, so that what the driver makes of pageable memory is in it.
    #[must_use]
    pub fn copy_rate(&self, bytes: u64, repeats: u32) -> Option<f64> {
        let bytes = usize::try_from(bytes).ok()?.min(self.0.memory_free / 2);
        let seconds = ffi::copy_seconds(self.0.index, bytes, repeats)?;
        Some(bytes as f64 / seconds.max(1e-9))
    }
}

impl std::fmt::Display for Gpu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.0.name, self.0.description)
    }
}

/// Whether a device is one of a backend's GPUs.
fn is(device: &LlamaBackendDevice, backend: BackendKind) -> bool {
    let names: &[&str] = match backend {
        BackendKind::Cpu => return false,
        BackendKind::Cuda => &["CUDA"],
        BackendKind::Metal => &["Metal", "MTL"],
        BackendKind::Vulkan => &["Vulkan"],
        BackendKind::Opencl => &["OpenCL"],
    };
    let gpu = matches!(
        device.device_type,
        LlamaBackendDeviceType::Gpu | LlamaBackendDeviceType::IntegratedGpu
    );
    gpu && names.contains(&device.backend.as_str())
}

/// A tensor on the device, which the safe binding does not give.
mod ffi {
    #![allow(unsafe_code)]
    use llama_cpp_sys_2 as ggml;
    use std::ptr::NonNull;
    use std::time::Instant;

    /// Frees a pointer that ggml gave.
    struct Owned<T> {
        pointer: NonNull<T>,
        free: unsafe extern "C" fn(*mut T),
    }

    impl<T> Owned<T> {
        fn new(pointer: *mut T, free: unsafe extern "C" fn(*mut T)) -> Option<Self> {
            let pointer = NonNull::new(pointer)?;
            Some(Self { pointer, free })
        }

        const fn get(&self) -> *mut T {
            self.pointer.as_ptr()
        }
    }

    impl<T> Drop for Owned<T> {
        fn drop(&mut self) {
            // SAFETY: the pointer came from ggml together with the function that frees it, and is freed once.
            unsafe { (self.free)(self.pointer.as_ptr()) }
        }
    }

    /// The quickest copy of `bytes` to device `index`, seconds; none if it computes on the host's own pages or has no room.
    pub fn copy_seconds(index: usize, bytes: usize, repeats: u32) -> Option<f64> {
        if bytes == 0 || index >= count() {
            return None;
        }
        // SAFETY: the index is below the count; devices live as long as the process.
        let device = unsafe { ggml::ggml_backend_dev_get(index) };
        // SAFETY: all of the structure is integers, booleans and pointers, for which zero is a value; ggml fills it in.
        let properties = unsafe {
            let mut properties: ggml::ggml_backend_dev_props = std::mem::zeroed();
            ggml::ggml_backend_dev_get_props(device, &raw mut properties);
            properties
        };
        if properties.caps.buffer_from_host_ptr {
            return None;
        }
        // Not zero, which the kernel would not back with pages of its own.
        let host = vec![0x5a_u8; bytes];
        // SAFETY: the device is valid and takes no parameters; what is created is freed by ggml's own function when dropped, the tensor
        // with its buffer and context. The copies read `bytes` of `host`, which outlives them, into a tensor of as many bytes.
        unsafe {
            let backend = ggml::ggml_backend_dev_init(device, std::ptr::null());
            let backend = Owned::new(backend, ggml::ggml_backend_free)?;
            let context = ggml::ggml_init(ggml::ggml_init_params {
                mem_size: 2 * ggml::ggml_tensor_overhead(),
                mem_buffer: std::ptr::null_mut(),
                no_alloc: true,
            });
            let context = Owned::new(context, ggml::ggml_free)?;
            let elements = i64::try_from(bytes).ok()?;
            let tensor = NonNull::new(ggml::ggml_new_tensor_1d(context.get(), ggml::GGML_TYPE_I8, elements))?;
            let buffer = ggml::ggml_backend_alloc_ctx_tensors(context.get(), backend.get());
            let _buffer = Owned::new(buffer, ggml::ggml_backend_buffer_free)?;
            let copy = || {
                let start = Instant::now();
                ggml::ggml_backend_tensor_set(tensor.as_ptr(), host.as_ptr().cast(), 0, bytes);
                ggml::ggml_backend_synchronize(backend.get());
                start.elapsed().as_secs_f64()
            };
            // The first also makes the device's memory and the driver's own buffers.
            copy();
            Some((0..repeats.max(1)).map(|_| copy()).fold(f64::INFINITY, f64::min))
        }
    }

    fn count() -> usize {
        // SAFETY: the function takes nothing and returns a number.
        unsafe { ggml::ggml_backend_dev_count() }
    }
}
