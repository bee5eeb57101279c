//! The unprivileged user.
#![expect(unsafe_code, reason = "the calls that change the user are unsafe")]

/// The user ID and group ID without privileges.
const UNPRIVILEGED: u32 = 65_534;

/// Drops root privileges permanently; does nothing if the process is not root.
///
/// Afterwards the process can still reach files of its working folder. This holds even if the
/// unprivileged user cannot reach the folder by its path, as in a private temporary folder.
pub fn drop_privileges() {
    if is_root() {
        // SAFETY: no groups are passed; none of the calls touches memory of this process.
        assert_eq!(unsafe { libc::setgroups(0, std::ptr::null()) }, 0);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::setgid(UNPRIVILEGED) }, 0);
        // SAFETY: as above.
        assert_eq!(unsafe { libc::setuid(UNPRIVILEGED) }, 0);
    }
    assert!(!is_root());
}

fn is_root() -> bool {
    // SAFETY: the call takes no arguments and cannot fail.
    unsafe { libc::geteuid() == 0 }
}
