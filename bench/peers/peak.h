/* What the process came to hold at most. ru_maxrss does not tell: it keeps the parent's peak over exec. */
#include <stdio.h>

static long peak_resident_bytes(void) {
  FILE *status = fopen("/proc/self/status", "r");
  char line[256];
  long kilobytes = 0;
  while (status && fgets(line, sizeof line, status))
    if (sscanf(line, "VmHWM: %ld", &kilobytes) == 1) break;
  if (status) fclose(status);
  return kilobytes * 1024;
}
