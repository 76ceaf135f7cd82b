//! The kernels of a portable build: a library for each kind of CPU, beside the program; llama.cpp takes the best that this one runs.

use llama_cpp_2::llama_backend::load_backends_from_path;
use std::path::{Path, PathBuf};

/// Name of the folder beside the program.
const FOLDER: &str = "lib";

/// Loads the kernels.
///
/// # Errors
/// One sentence if there are none that run here.
pub(super) fn load() -> Result<(), String> {
    let folder = folder()?;
    // The binding cannot pass on another path.
    if folder.to_str().is_none_or(|path| path.contains('\0')) {
        return Err(format!("the folder {} is not named in UTF-8", folder.display()));
    }
    ffi::silence();
    load_backends_from_path(&folder);
    if ffi::loaded() == 0 {
        return Err(format!(
            "there are no kernels that run here in {}; keep the folder `{FOLDER}` of the release beside the program, and install \
             OpenMP's library (Debian's libgomp1)",
            folder.display()
        ));
    }
    Ok(())
}

/// The folder beside the program, whatever link it was called by; in a source tree, where the build left the libraries.
fn folder() -> Result<PathBuf, String> {
    let program = std::env::current_exe()
        .and_then(std::fs::canonicalize)
        .map_err(|error| format!("the program does not find itself: {error}"))?;
    let folder = program.with_file_name(FOLDER);
    let built = llama_cpp_sys_2::BACKENDS_DIR.map(Path::new);
    match built.filter(|built| !folder.is_dir() && built.is_dir()) {
        Some(built) => Ok(built.to_owned()),
        None => Ok(folder),
    }
}

mod ffi {
    #![allow(unsafe_code)]
    use std::ffi::{c_char, c_void};

    /// Keeps llama.cpp from reporting on stderr what it loads.
    pub fn silence() {
        unsafe extern "C" fn nothing(_: llama_cpp_sys_2::ggml_log_level, _: *const c_char, _: *mut c_void) {}
        // SAFETY: the callback reads none of its arguments, and there is no user data.
        unsafe { llama_cpp_sys_2::llama_log_set(Some(nothing), std::ptr::null_mut()) }
    }

    /// How many backends are loaded.
    pub fn loaded() -> usize {
        // SAFETY: the function takes nothing and returns a number.
        unsafe { llama_cpp_sys_2::ggml_backend_reg_count() }
    }
}
