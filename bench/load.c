// A load generator at next to no cost: one epoll thread, keep-alive connections, 127.0.0.1 only.
//
//   load PORT CONNECTIONS RATE WARM_SECONDS SECONDS REQUEST_FILE [REQUESTS]
//
// REQUEST_FILE holds one whole HTTP request, head and body; or several of the same length, which are sent in turn. RATE 0 is a closed loop: each connection sends its next request
// when it has the last one's answer. RATE n is an open loop: n requests a second fall due whatever happens, and a latency
// counts from when its request was due, so that a stall is not hidden by the requests that it kept from being sent.
// Prints "measuring" when the warm-up is over, then one line of JSON; times in it are microseconds. In streams, the
// @nanoseconds@ of stub.c (#letters# of converse.h) tell how long each chunk was under way.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define BUFFER_BYTES (256 * 1024)

typedef struct {
  int fd, filled, busy, head_bytes, body_bytes, status, scanned, chunks;
  char *buffer;
  long long due;
} Connection;

typedef struct {
  int *ns;
  long count, room;
} Samples;

static int port, poll_fd, request_bytes, measuring;
static long request_count = 1, sent_count;
static char *requests;
static long done, chunks, failures, refused;
static long long measured_from;
static Samples latencies, first_chunks, transits;

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void sample(Samples *s, long long ns) {
  if (s->count == s->room) s->ns = realloc(s->ns, (s->room = s->room ? s->room * 2 : 65536) * sizeof(int));
  s->ns[s->count++] = ns > 2000000000LL ? 2000000000 : (int)ns;
}

static int ascending(const void *a, const void *b) { return (*(int *)a > *(int *)b) - (*(int *)a < *(int *)b); }

// In microseconds; 0 when there are none.
static double quantile(Samples *s, double q) { return s->count ? s->ns[(long)(q * (s->count - 1) + 0.5)] / 1e3 : 0; }

static void open_connection(Connection *c) {
  int on = 1;
  struct sockaddr_in address = {
      .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  c->fd = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (connect(c->fd, (void *)&address, sizeof address)) perror("load: connect"), exit(1);
  struct epoll_event event = {.events = EPOLLIN, .data.ptr = c};
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, c->fd, &event);
  c->filled = c->busy = 0;
}

static void reopen(Connection *c) {
  close(c->fd);
  open_connection(c);
}

static void send_request(Connection *c, long long due) {
  char *request = requests + (sent_count++ % request_count) * request_bytes;
  for (int sent = 0; sent < request_bytes;) {
    int count = send(c->fd, request + sent, request_bytes - sent, MSG_NOSIGNAL);
    if (count > 0) sent += count;
    else failures++, reopen(c), sent = 0;
  }
  c->busy = 1;
  c->filled = c->head_bytes = c->chunks = 0;
  c->due = due;
}

static void read_head(Connection *c) {
  char *end = memmem(c->buffer, c->filled, "\r\n\r\n", 4);
  if (!end) return;
  *end = 0;
  char *length = strcasestr(c->buffer, "\r\ncontent-length:");
  c->head_bytes = c->scanned = end + 4 - c->buffer;
  c->body_bytes = length ? atoi(length + 17) : -1; // -1: chunked
  c->status = atoi(c->buffer + 9);
  *end = '\r';
}

// The next stamp's nanoseconds; 0 when there is none (yet). Binary bytes may look like the beginning of one.
static long long next_stamp(Connection *c) {
  for (; c->scanned < c->filled; c->scanned++) {
    char mark = c->buffer[c->scanned], zero = mark == '#' ? 'a' : '0';
    if (mark != '@' && mark != '#') continue;
    long long value = 0;
    int at = c->scanned + 1;
    for (; c->buffer[at] >= zero && c->buffer[at] <= zero + 9; at++) value = value * 10 + c->buffer[at] - zero;
    if (at >= c->filled) return 0;
    if (c->buffer[at] != mark || at < c->scanned + 10) continue;
    c->scanned = at + 1;
    return value;
  }
  return 0;
}

static void read_stamps(Connection *c, long long now) {
  for (long long sent; (sent = next_stamp(c));) {
    if (measuring && c->chunks == 0 && c->due >= measured_from) sample(&first_chunks, now - c->due);
    if (measuring && sent >= measured_from) sample(&transits, now - sent), chunks++;
    c->chunks++;
  }
}

// Returns 1 when the answer is whole.
static int receive(Connection *c) {
  int bytes = recv(c->fd, c->buffer + c->filled, BUFFER_BYTES - 1 - c->filled, MSG_DONTWAIT);
  if (bytes < 0 && errno == EAGAIN) return 0;
  if (bytes <= 0) {
    int lost = c->busy;
    failures += lost;
    reopen(c);
    return lost;
  }
  long long now = now_ns();
  c->buffer[c->filled += bytes] = 0;
  if (!c->head_bytes) read_head(c);
  if (!c->head_bytes) return 0;
  int have = c->filled - c->head_bytes;
  if (c->body_bytes < 0) read_stamps(c, now);
  int whole = c->body_bytes >= 0 ? have >= c->body_bytes
                                 : have >= 5 && !memcmp(c->buffer + c->filled - 5, "0\r\n\r\n", 5);
  if (!whole) return 0;
  if (measuring) done++;
  if (measuring && c->due >= measured_from) sample(&latencies, now - c->due);
  if (c->status != 200) refused++;
  return 1;
}

static void read_request(const char *path) {
  FILE *file = fopen(path, "r");
  if (!file) perror(path), exit(1);
  requests = malloc(16 << 20);
  request_bytes = fread(requests, 1, 16 << 20, file) / request_count;
  fclose(file);
}

int main(int count, char **arguments) {
  if (count != 7 && count != 8)
    return fprintf(stderr, "usage: load PORT CONNECTIONS RATE WARM_SECONDS SECONDS REQUEST_FILE [REQUESTS]\n"), 2;
  signal(SIGPIPE, SIG_IGN);
  port = atoi(arguments[1]);
  int size = atoi(arguments[2]), idle_count = 0;
  double rate = atof(arguments[3]), interval = rate > 0 ? 1e9 / rate : 0;
  if (count == 8) request_count = atol(arguments[7]);
  read_request(arguments[6]);
  poll_fd = epoll_create1(0);
  int timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN}, events[512];
  epoll_ctl(poll_fd, EPOLL_CTL_ADD, timer, &event);
  Connection *all = calloc(size, sizeof *all), **idle = calloc(size, sizeof *idle);
  for (int i = 0; i < size; i++) {
    all[i].buffer = malloc(BUFFER_BYTES);
    open_connection(idle[idle_count++] = &all[i]);
  }
  long long start = now_ns(), begin = start + (long long)(atof(arguments[4]) * 1e9);
  long long end = begin + (long long)(atof(arguments[5]) * 1e9), now;
  double due = start; // Of the next request of an open loop that has found no connection yet.
  while ((now = now_ns()) < end) {
    if (!measuring && now >= begin) {
      measuring = 1;
      measured_from = now;
      puts("measuring");
      fflush(stdout);
    }
    while (idle_count > 0 && (rate == 0 || due <= now)) {
      send_request(idle[--idle_count], rate == 0 ? now : (long long)due);
      due += interval;
    }
    long long wake = rate > 0 && idle_count > 0 ? (long long)due : end;
    if (!measuring && begin < wake) wake = begin;
    struct itimerspec at = {.it_value = {wake / 1000000000LL, wake % 1000000000LL}};
    timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    int ready = epoll_wait(poll_fd, events, 512, -1);
    for (int i = 0; i < ready; i++) {
      Connection *c = events[i].data.ptr;
      char expirations[8];
      if (!c) {
        if (read(timer, expirations, 8) < 0) continue;
      } else if (receive(c)) {
        c->busy = 0;
        if (rate == 0) send_request(c, now_ns());
        else idle[idle_count++] = c;
      }
    }
  }
  double seconds = (now_ns() - measured_from) / 1e9;
  long late = rate > 0 && due < now ? (long)((now - due) / interval) : 0;
  qsort(latencies.ns, latencies.count, sizeof(int), ascending);
  qsort(first_chunks.ns, first_chunks.count, sizeof(int), ascending);
  qsort(transits.ns, transits.count, sizeof(int), ascending);
  printf("{\"seconds\":%.4f,\"requests\":%ld,\"chunks\":%ld,\"p50\":%.1f,\"p99\":%.1f,\"firstChunkP50\":%.1f,"
         "\"firstChunkP99\":%.1f,\"transitP50\":%.1f,\"failures\":%ld,\"refused\":%ld,\"unsent\":%ld}\n",
         seconds, done, chunks, quantile(&latencies, .5), quantile(&latencies, .99), quantile(&first_chunks, .5),
         quantile(&first_chunks, .99), quantile(&transits, .5), failures, refused, late);
  return 0;
}
