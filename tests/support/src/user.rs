//! The user that has no rights of its own.
#![expect(unsafe_code, reason = "the calls that change the user are unsafe")]

/// The user and the group `nobody`.
const NOBODY: u32 = 65_534;

/// Stops being root, for good; does nothing if the process is not root.
///
/// What follows can reach files of the working folder even where `nobody` cannot reach the
/// folder by its path, as in a private folder for temporary files.
pub fn become_nobody() {
    if is_root() {
        // SAFETY: no groups are passed; none of the calls touches memory of this process.
        assert_eq!(unsafe { libc::setgroups(0, std::ptr::null()) }, 0);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::setgid(NOBODY) }, 0);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::setuid(NOBODY) }, 0);
    }
    assert!(!is_root());
}

fn is_root() -> bool {
    // SAFETY: the call takes nothing and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
