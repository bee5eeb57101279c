//! Processes, and the filter that makes another process answer their system calls.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd};

use rustix::process::Pid;

/// A system call that waits for an answer.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) id: u64,
    /// The thread that makes the call, as a process id.
    pub(crate) thread: i32,
    pub(crate) number: i64,
    pub(crate) arguments: [u64; 6],
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Answer {
    /// The kernel makes the call.
    Made,
    /// The call is not made and fails with an error number.
    Error(i32),
    /// The call is not made and returns a value.
    Value(i64),
}

/// Starts a process that is a copy of this one; returns its id, and in the child `None`.
pub(crate) fn fork() -> Option<Pid> {
    // SAFETY: only one thread of this process holds locks or memory of the C library; the
    // other thread, the test runner, only waits.
    let pid = unsafe { libc::fork() };
    assert!(pid >= 0, "{}", io::Error::last_os_error());
    Pid::from_raw(pid)
}

/// Ends this process at once, without destructors and exit handlers.
pub(crate) fn exit_now() -> ! {
    // SAFETY: no destructor has to run in a child of a test.
    unsafe { libc::_exit(0) }
}

/// Makes the kernel end this process when its parent ends.
pub(crate) fn die_with_parent() {
    // SAFETY: the call takes only numbers.
    let failed = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    assert_eq!(failed, 0);
}

/// Makes all system calls of this thread, except `free`, wait for an answer through the file.
pub(crate) fn install_filter(free: &[i64]) -> OwnedFd {
    const LOAD_NUMBER: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
    const JUMP_IF_EQUAL: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
    const RETURN: u16 = 0x06; // BPF_RET | BPF_K

    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut program = vec![step(LOAD_NUMBER, 0, 0, 0)];
    for number in free {
        program.push(step(JUMP_IF_EQUAL, 0, 1, u32::try_from(*number).unwrap()));
        program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ALLOW));
    }
    program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_USER_NOTIF));
    let len = u16::try_from(program.len()).unwrap();
    let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    // SAFETY: the call takes only numbers.
    let failed = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(failed, 0);
    // SAFETY: `program` has the given length, and lives until the call returns.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            libc::SECCOMP_FILTER_FLAG_NEW_LISTENER,
            &raw const program,
        )
    };
    assert!(fd >= 0, "no seccomp user notification: {}", io::Error::last_os_error());
    // SAFETY: the kernel has just opened it for this process.
    unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap()) }
}

/// Waits for the next call; returns `None` if the process that made it has ended.
pub(crate) fn next_call(listener: BorrowedFd<'_>) -> Option<Call> {
    // SAFETY: all zeros are a valid value of this struct of numbers; the kernel requires zeros.
    let mut call: libc::seccomp_notif = unsafe { std::mem::zeroed() };
    let fd = listener.as_raw_fd();
    // SAFETY: `call` is valid for the write of the kernel.
    if unsafe { libc::ioctl(fd, libc::SECCOMP_IOCTL_NOTIF_RECV, &raw mut call) } != 0 {
        return None;
    }
    Some(Call {
        id: call.id,
        thread: i32::try_from(call.pid).unwrap(),
        number: i64::from(call.data.nr),
        arguments: call.data.args,
    })
}

/// Answers a call; does nothing if the process that made it has ended.
pub(crate) fn answer(listener: BorrowedFd<'_>, call: &Call, answer: Answer) {
    let (error, val, flags) = match answer {
        Answer::Made => (0, 0, libc::SECCOMP_USER_NOTIF_FLAG_CONTINUE),
        Answer::Error(errno) => (-errno, 0, 0),
        Answer::Value(value) => (0, value, 0),
    };
    let flags = u32::try_from(flags).unwrap();
    let answer = libc::seccomp_notif_resp { id: call.id, val, error, flags };
    let fd = listener.as_raw_fd();
    // SAFETY: the kernel reads `answer`, which outlives the call.
    let _ = unsafe { libc::ioctl(fd, libc::SECCOMP_IOCTL_NOTIF_SEND, &raw const answer) };
}

/// Makes the kernel wake the other side on this processor, which is fastest for alternating work.
pub(crate) fn wake_here(listener: BorrowedFd<'_>) {
    const SYNC_WAKE_UP: u64 = 1;
    let fd = listener.as_raw_fd();
    // SAFETY: the call takes only numbers. Kernels before 6.6 refuse it, which only costs speed.
    let _ = unsafe { libc::ioctl(fd, libc::SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNC_WAKE_UP) };
}

/// Returns a pair of connected sockets that preserve message boundaries.
pub(crate) fn socket_pair() -> (OwnedFd, OwnedFd) {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socketpair};

    socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)
        .unwrap()
}

/// Sends a text and an optional file.
pub(crate) fn send(socket: BorrowedFd<'_>, text: &str, file: Option<BorrowedFd<'_>>) {
    use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};

    let files = file.as_slice();
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    if !files.is_empty() {
        assert!(ancillary.push(SendAncillaryMessage::ScmRights(files)));
    }
    let text = [io::IoSlice::new(text.as_bytes())];
    // The other side may have closed its socket.
    let _ = sendmsg(socket, &text, &mut ancillary, SendFlags::NOSIGNAL);
}

/// Receives a text and the file sent with it; returns `None` if the other side has ended.
pub(crate) fn receive(socket: BorrowedFd<'_>) -> Option<(String, Option<OwnedFd>)> {
    use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

    let mut bytes = vec![0; 1 << 16];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let mut parts = [io::IoSliceMut::new(&mut bytes)];
    let flags = RecvFlags::CMSG_CLOEXEC;
    let received = recvmsg(socket, &mut parts, &mut ancillary, flags).ok()?;
    let file = ancillary.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut files) => files.next(),
        _ => None,
    });
    if received.bytes == 0 {
        return None;
    }
    bytes.truncate(received.bytes);
    Some((String::from_utf8_lossy(&bytes).into_owned(), file))
}

/// Waits up to `milliseconds` until one of two files is readable.
pub(crate) fn wait(
    socket: BorrowedFd<'_>,
    listener: Option<BorrowedFd<'_>>,
    milliseconds: i64,
) -> (bool, bool) {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let mut files = vec![PollFd::from_borrowed_fd(socket, PollFlags::IN)];
    files.extend(listener.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    let (seconds, rest) = (milliseconds / 1000, milliseconds % 1000);
    let timeout = Timespec { tv_sec: seconds, tv_nsec: rest * 1_000_000 };
    let _ = poll(&mut files, Some(&timeout));
    let has = |at: usize| files.get(at).is_some_and(|file| !file.revents().is_empty());
    (has(0), has(1))
}

/// Makes a child's pending call in its place, for half of the bytes.
///
/// Returns how many bytes were transferred, or `None` for calls that cannot be partial.
pub(crate) fn do_half(call: &Call) -> Option<i64> {
    use std::fs::File;
    use std::os::unix::fs::FileExt;

    let [fd, address, len, offset, ..] = call.arguments;
    let half = len / 2;
    if half == 0 {
        return None;
    }
    let of_process = |name: &str| format!("/proc/{}/{name}", call.thread);
    let memory = File::options().read(true).write(true).open(of_process("mem")).ok()?;
    let mut bytes = vec![0; usize::try_from(half).ok()?];
    if call.number == libc::SYS_pwrite64 {
        memory.read_exact_at(&mut bytes, address).ok()?;
        let to =
            File::options().write(true).open(of_process(&format!("fd/{fd}"))).ok()?;
        to.write_all_at(&bytes, offset).ok()?;
    } else if call.number == libc::SYS_pread64 {
        let from = File::open(of_process(&format!("fd/{fd}"))).ok()?;
        let count = from.read_at(&mut bytes, offset).ok()?;
        bytes.truncate(count);
        memory.write_all_at(&bytes, address).ok()?;
    } else {
        return None;
    }
    i64::try_from(bytes.len()).ok()
}
