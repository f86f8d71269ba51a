/* The launcher of a runner: starts the Node that lies beside it, through the loader and with the
 * libraries that lie beside it too, so that it needs none of the machine's, whichever C library
 * that has. It finds its own folder through the path that it was called by, so symbolic links to it
 * work and /proc is not needed. It is linked statically; the build defines LOADER and FLAGS. */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

static char here[PATH_MAX];

/* The path of a file in our folder. */
static char *beside(const char *name) {
  size_t size = strlen(here) + strlen(name) + 2;
  char *path = malloc(size);
  if (path == NULL) exit(71);
  snprintf(path, size, "%s/%s", here, name);
  return path;
}

int main(int argc, char **argv) {
  const char *called = (const char *)getauxval(AT_EXECFN);
  if (called == NULL || realpath(called, here) == NULL) {
    perror("minnow: cannot find its own folder");
    return 71;
  }
  *strrchr(here, '/') = '\0';

  char *loader = beside("lib/" LOADER);
  char *first[] = {loader, "--inhibit-cache", "--library-path", beside("lib"), beside("lib/node"),
                   FLAGS beside("program/minnow.mjs")};
  size_t count = sizeof first / sizeof *first;
  char **args = calloc(count + argc, sizeof *args);
  if (args == NULL) return 71;
  memcpy(args, first, sizeof first);
  for (int i = 1; i < argc; i++) args[count + i - 1] = argv[i];

  /* They would name libraries that belong to the machine's own C library. */
  unsetenv("LD_PRELOAD");
  unsetenv("LD_LIBRARY_PATH");
  execv(loader, args);
  perror("minnow: cannot start its own loader");
  return 71;
}
