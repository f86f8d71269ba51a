/* Preloaded into a broker: notes, in order, what it does to the files below one directory and what
 * it receives and sends, so that a disk can be rebuilt as a power cut would have left it (disk.ts)
 * and acknowledgements have their place among the syncs. Can also make syncs slow or fail.
 *
 * The runtime makes some system calls without libc, so replacing libc's functions would miss them:
 * a seccomp filter turns each call of interest into SIGSYS, whose handler makes the call itself,
 * from the one place that the filter lets through. Linux on x86-64; calls that it cannot follow are
 * noted as such.
 *
 *   POWER_DIRECTORY    absolute path; files below it and itself are followed
 *   POWER_RECORDING    the file that is appended to; without it nothing is noted
 *   POWER_DELAY_MS     every sync of a followed file takes that much longer
 *   POWER_FAIL_SYNC    the n-th of them (from 1) fails with EIO
 *   POWER_NO_WAL       a write-ahead log ("-wal") cannot be opened: EIO
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef __x86_64__
#error "the registers of a trapped call are known for x86-64 only"
#endif

enum kind {
  OPEN = 1, CLOSE, WRITE, TRUNCATE, UNLINK, RENAME, SYNC_BEGIN, SYNC_END, RECEIVED, SENT, LOST
};

struct header {
  uint32_t sequence, kind, thread;
  int32_t fd;
  int64_t a, b, nanoseconds;
  uint32_t length, reserved;
};

enum { FDS = 65536, NOTHING = 0, FILE_FD, SOCKET_FD };

static char directory[1024];
static size_t directory_length;
static long recording = -1;
static long delay_ms, fail_sync;
static int no_wal;
static atomic_uint sequence;
static atomic_long syncs;
static unsigned char kinds[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The only place whose system calls the filter lets through; the result is -errno on failure. */
extern const char raw_call_returns[];
long raw_call(long number, long a, long b, long c, long d, long e, long f);
__asm__(".text\n"
        ".globl raw_call, raw_call_returns\n"
        ".hidden raw_call, raw_call_returns\n"
        "raw_call:\n"
        "  mov %rdi, %rax\n  mov %rsi, %rdi\n  mov %rdx, %rsi\n  mov %rcx, %rdx\n"
        "  mov %r8, %r10\n  mov %r9, %r8\n  mov 8(%rsp), %r9\n"
        "  syscall\n"
        "raw_call_returns:\n"
        "  ret\n");

static unsigned take_sequence(void) { return atomic_fetch_add(&sequence, 1) + 1; }

/* With place 0 the next sequence number is taken. Returns the one that it has. */
static unsigned note(unsigned place, enum kind kind, long fd, int64_t a, int64_t b,
                     const void *data, size_t length) {
  if (recording < 0) return 0;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  struct header header = {
      .kind = kind, .thread = raw_call(SYS_gettid, 0, 0, 0, 0, 0, 0), .fd = fd, .a = a, .b = b,
      .nanoseconds = now.tv_sec * 1000000000LL + now.tv_nsec, .length = length};
  struct iovec parts[] = {{&header, sizeof header}, {(void *)data, length}};
  pthread_mutex_lock(&lock);
  header.sequence = place ? place : take_sequence();
  long written = raw_call(SYS_writev, recording, (long)parts, 2, 0, 0, 0);
  pthread_mutex_unlock(&lock);
  if (written != (long)(sizeof header + length)) abort();
  return header.sequence;
}

static void note_lost(long number) {
  char text[32];
  note(0, LOST, -1, 0, 0, text, snprintf(text, sizeof text, "system call %ld", number));
}

static int is(long fd, int kind) { return fd >= 0 && fd < FDS && kinds[fd] == kind; }

/* The name below the directory; "" for the directory itself; NULL for anything else. */
static const char *followed(long path_argument) {
  const char *path = (const char *)path_argument;
  if (!directory_length || !path || strncmp(path, directory, directory_length) != 0) return NULL;
  path += directory_length;
  if (*path == '\0') return path;
  return *path == '/' ? path + 1 : NULL;
}

static long open_at(long at, long path, long flags, long mode) {
  const char *name = followed(path);
  if (!name) return raw_call(SYS_openat, at, path, flags, mode, 0, 0);
  size_t length = strlen(name);
  if (no_wal && length > 4 && strcmp(name + length - 4, "-wal") == 0) return -EIO;
  int existed = raw_call(SYS_access, path, F_OK, 0, 0, 0, 0) == 0;
  long fd = raw_call(SYS_openat, at, path, flags, mode, 0, 0);
  if (fd < 0) return fd;
  if (fd < FDS) kinds[fd] = FILE_FD;
  note(0, OPEN, fd, flags, existed, name, length);
  return fd;
}

/* Noted first: once it is closed another thread may be given the number. */
static long close_fd(long fd) {
  if (is(fd, FILE_FD) || is(fd, SOCKET_FD)) {
    kinds[fd] = NOTHING;
    note(0, CLOSE, fd, 0, 0, NULL, 0);
  }
  return raw_call(SYS_close, fd, 0, 0, 0, 0, 0);
}

static long accept_on(long listener, long address, long length, long flags) {
  long fd = raw_call(SYS_accept4, listener, address, length, flags, 0, 0);
  if (fd >= 0 && fd < FDS) kinds[fd] = SOCKET_FD;
  return fd;
}

/* Bun receives and sends, Node reads and writes. */
static long read_fd(long fd, long data, long size) {
  long got = raw_call(SYS_read, fd, data, size, 0, 0, 0);
  if (got > 0 && is(fd, SOCKET_FD)) note(0, RECEIVED, fd, 0, 0, (void *)data, got);
  return got;
}

/* Its place is in front of the call: nobody can have received it before. */
static long write_fd(long fd, long data, long length) {
  unsigned place = is(fd, SOCKET_FD) ? take_sequence() : 0;
  long done = raw_call(SYS_write, fd, data, length, 0, 0, 0);
  if (done > 0 && place) note(place, SENT, fd, 0, 0, (void *)data, done);
  if (done > 0 && is(fd, FILE_FD)) {
    long end = raw_call(SYS_lseek, fd, 0, SEEK_CUR, 0, 0, 0);
    note(0, WRITE, fd, end - done, 0, (void *)data, done);
  }
  return done;
}

static long write_at(long fd, long data, long length, long offset) {
  long done = raw_call(SYS_pwrite64, fd, data, length, offset, 0, 0);
  if (done > 0 && is(fd, FILE_FD)) note(0, WRITE, fd, offset, 0, (void *)data, done);
  return done;
}

static long truncate_fd(long fd, long size) {
  long result = raw_call(SYS_ftruncate, fd, size, 0, 0, 0, 0);
  if (result == 0 && is(fd, FILE_FD)) note(0, TRUNCATE, fd, size, 0, NULL, 0);
  return result;
}

static long truncate_path(long path, long size) {
  const char *name = followed(path);
  long result = raw_call(SYS_truncate, path, size, 0, 0, 0, 0);
  if (result == 0 && name) note(0, TRUNCATE, -1, size, 0, name, strlen(name));
  return result;
}

static long unlink_at(long at, long path, long flags) {
  const char *name = followed(path);
  long result = raw_call(SYS_unlinkat, at, path, flags, 0, 0, 0);
  if (result == 0 && name) note(0, UNLINK, -1, 0, 0, name, strlen(name));
  return result;
}

static long rename_at(long at, long from, long to_at, long to) {
  const char *old = followed(from), *new = followed(to);
  long result = raw_call(SYS_renameat, at, from, to_at, to, 0, 0);
  if (result != 0 || (!old && !new)) return result;
  if (!old || !new) {
    note_lost(SYS_renameat);
    return result;
  }
  char names[2048];
  size_t first = strlen(old) + 1, second = strlen(new);
  if (first + second > sizeof names) abort();
  memcpy(names, old, first);
  memcpy(names + first, new, second);
  note(0, RENAME, -1, 0, 0, names, first + second);
  return result;
}

static long sync_fd(long call, long fd) {
  if (!is(fd, FILE_FD)) return raw_call(call, fd, 0, 0, 0, 0, 0);
  unsigned began = note(0, SYNC_BEGIN, fd, 0, 0, NULL, 0);
  if (delay_ms > 0) {
    struct timespec delay = {delay_ms / 1000, delay_ms % 1000 * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &delay, &delay) == EINTR) continue;
  }
  int fails = atomic_fetch_add(&syncs, 1) + 1 == fail_sync;
  long result = fails ? -EIO : raw_call(call, fd, 0, 0, 0, 0, 0);
  note(0, SYNC_END, fd, result, began, NULL, 0);
  return result;
}

static long receive(long fd, long data, long size, long flags, long from, long length) {
  long got = raw_call(SYS_recvfrom, fd, data, size, flags, from, length);
  if (got > 0 && !(flags & MSG_PEEK)) {
    if (fd < FDS) kinds[fd] = SOCKET_FD;
    note(0, RECEIVED, fd, 0, 0, (void *)data, got);
  }
  return got;
}

static long send_to(long fd, long data, long size, long flags, long to, long length) {
  unsigned place = take_sequence();
  long sent = raw_call(SYS_sendto, fd, data, size, flags, to, length);
  if (sent > 0) note(place, SENT, fd, 0, 0, (void *)data, sent);
  return sent;
}

static const int trapped[] = {
    SYS_open, SYS_openat, SYS_creat, SYS_close, SYS_write, SYS_pwrite64, SYS_ftruncate,
    SYS_truncate, SYS_unlink, SYS_unlinkat, SYS_rename, SYS_renameat, SYS_renameat2, SYS_fsync,
    SYS_fdatasync, SYS_accept4, SYS_read, SYS_recvfrom, SYS_sendto, SYS_rt_sigaction,
    /* What can only be said to have happened: */
    SYS_writev, SYS_pwritev, SYS_fallocate, SYS_dup, SYS_dup2, SYS_dup3, SYS_sendmsg, SYS_recvmsg};

/* The kernel's struct sigaction. */
struct disposition {
  void *handler;
  unsigned long flags;
  void *restorer;
  uint64_t mask;
};

/* Bun has a handler of its own for system calls that a filter forbids, and Node resets them all;
 * ours stays, and works within every other: a trap that is blocked kills. */
static long set_handler(long signal, long wanted, long old, long size) {
  if (signal == SIGSYS) return 0;
  struct disposition ours;
  if (wanted) {
    ours = *(const struct disposition *)wanted;
    ours.mask &= ~(UINT64_C(1) << (SIGSYS - 1));
    wanted = (long)&ours;
  }
  return raw_call(SYS_rt_sigaction, signal, wanted, old, size, 0, 0);
}

/* In place of libc's, through which Node blocks all signals now and then. */
int pthread_sigmask(int how, const sigset_t *wanted, sigset_t *old) {
  sigset_t ours;
  if (wanted && how != SIG_UNBLOCK) {
    ours = *wanted;
    sigdelset(&ours, SIGSYS);
    wanted = &ours;
  }
  return (int)-raw_call(SYS_rt_sigprocmask, how, (long)wanted, (long)old, 8, 0, 0);
}

static long handle(long number, long a, long b, long c, long d, long e, long f) {
  switch (number) {
    case SYS_open: return open_at(AT_FDCWD, a, b, c);
    case SYS_openat: return open_at(a, b, c, d);
    case SYS_creat: return open_at(AT_FDCWD, a, O_CREAT | O_WRONLY | O_TRUNC, b);
    case SYS_close: return close_fd(a);
    case SYS_accept4: return accept_on(a, b, c, d);
    case SYS_read: return read_fd(a, b, c);
    case SYS_write: return write_fd(a, b, c);
    case SYS_pwrite64: return write_at(a, b, c, d);
    case SYS_ftruncate: return truncate_fd(a, b);
    case SYS_truncate: return truncate_path(a, b);
    case SYS_unlink: return unlink_at(AT_FDCWD, a, 0);
    case SYS_unlinkat: return unlink_at(a, b, c);
    case SYS_rename: return rename_at(AT_FDCWD, a, AT_FDCWD, b);
    case SYS_renameat: return rename_at(a, b, c, d);
    case SYS_fsync:
    case SYS_fdatasync: return sync_fd(number, a);
    case SYS_recvfrom: return receive(a, b, c, d, e, f);
    case SYS_sendto: return send_to(a, b, c, d, e, f);
    case SYS_rt_sigaction: return set_handler(a, b, c, d);
    case SYS_renameat2:
      if (followed(b) || followed(d)) note_lost(number);
      return raw_call(number, a, b, c, d, e, f);
    default:
      if (is(a, FILE_FD) || is(a, SOCKET_FD)) note_lost(number);
      return raw_call(number, a, b, c, d, e, f);
  }
}

static void on_trap(int signal, siginfo_t *info, void *context) {
  (void)signal;
  (void)info;
  greg_t *r = ((ucontext_t *)context)->uc_mcontext.gregs;
  int error = errno;
  r[REG_RAX] = handle(r[REG_RAX], r[REG_RDI], r[REG_RSI], r[REG_RDX], r[REG_R10], r[REG_R8],
                      r[REG_R9]);
  errno = error;
}

static void trap_calls(void) {
  enum { COUNT = sizeof trapped / sizeof *trapped };
  uint64_t let_through = (uint64_t)raw_call_returns;
  struct sock_filter filter[COUNT + 10];
  int n = 0;
#define LOAD(field)                                                                                \
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,                             \
                                             offsetof(struct seccomp_data, field))
#define UNLESS(value, skip)                                                                        \
  filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define WHEN(value, skip)                                                                          \
  filter[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, skip, 0)
  LOAD(nr);
  for (int i = 0; i < COUNT; i++) WHEN(trapped[i], COUNT - i);
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
                                             offsetof(struct seccomp_data, instruction_pointer));
  UNLESS((uint32_t)let_through, 3);
  filter[n++] = (struct sock_filter)BPF_STMT(
      BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4);
  UNLESS((uint32_t)(let_through >> 32), 1);
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP);
  struct sock_fprog program = {n, filter};
  /* Not deferred: another signal's handler may interrupt ours and make such a call as well. */
  struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO | SA_NODEFER};
  sigaction(SIGSYS, &action, NULL);
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    perror("shim: no seccomp filter here");
    _exit(70);
  }
}

static long number_of(const char *name) {
  const char *text = getenv(name);
  return text ? atol(text) : 0;
}

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("POWER_DIRECTORY");
  if (!path || strlen(path) >= sizeof directory) return;
  strcpy(directory, path);
  directory_length = strlen(path);
  delay_ms = number_of("POWER_DELAY_MS");
  fail_sync = number_of("POWER_FAIL_SYNC");
  no_wal = number_of("POWER_NO_WAL") != 0;
  const char *file = getenv("POWER_RECORDING");
  if (file) {
    int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    /* Out of the way, so that the broker gets the numbers it would get without us. */
    recording = fcntl(fd, F_DUPFD_CLOEXEC, 1000);
    close(fd);
    if (recording < 0) _exit(70);
  }
  unsetenv("LD_PRELOAD");
  trap_calls();
}
