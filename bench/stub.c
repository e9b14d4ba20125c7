// The far side of a proxy under test, at next to no cost: one epoll thread, 127.0.0.1 only.
//
//   stub CHUNKS INTERVAL_US
//
// Prints the port that it was given, then answers until it is killed:
//   PUT  any                        200, empty (an S3 that takes every object); counted
//   HEAD any                        404 (an S3 that holds none)
//   GET  /puts                      the number of PUTs so far
//   POST with "stream":true         server-sent events: CHUNKS events, INTERVAL_US apart, the first after one interval;
//                                   each carries @nanoseconds@ (CLOCK_MONOTONIC) of its own departure
//   POST …/converse-stream          the same as Bedrock's ConverseStream (converse.h)
//   POST …/converse                 an answer of Bedrock's Converse of about 1 KB
//   POST else                       a chat completion of about 1 KB
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
#include "converse.h"

#define MAX_FD 4096
#define BUFFER_BYTES (256 * 1024)
#define MAX_STREAMS 65536 // A power of two: the queue's indexes wrap.

typedef struct {
  int fd, filled, chunks_left, wants_usage, converse, generation;
  char *buffer;
} Connection;

typedef struct {
  int fd, generation;
  long long due;
} Turn;

static Connection *connections[MAX_FD];
// All streams have the same interval, so turns fall due in the order in which they are queued.
static Turn turns[MAX_STREAMS];
static unsigned first_turn, next_turn;
static int generations, chunk_count;
static long long interval_ns, put_count;
static char completion[4096];
static int completion_bytes;
static char conversation[4096];
static int conversation_bytes;

static long long now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int send_all(int fd, const char *bytes, int length) {
  for (int sent = 0; sent < length;) {
    int count = send(fd, bytes + sent, length - sent, MSG_NOSIGNAL);
    if (count > 0) sent += count;
    else if (errno == EAGAIN) usleep(50); // A reader that lags; answers here are far smaller than socket buffers.
    else return -1;
  }
  return 0;
}

#define SEND_TEXT(fd, text) send_all(fd, text, sizeof(text) - 1)

static void drop(Connection *c) {
  connections[c->fd] = NULL;
  close(c->fd);
  free(c->buffer);
  free(c);
}

static int send_event(int fd, const char *event, int length) {
  char framed[1024];
  int bytes = sprintf(framed, "%x\r\n", length);
  memcpy(framed + bytes, event, length);
  memcpy(framed + bytes + length, "\r\n", 2);
  return send_all(fd, framed, bytes + length + 2);
}

#define CHUNK_HEAD \
  "data: {\"id\":\"chatcmpl-stub0123456789\",\"object\":\"chat.completion.chunk\",\"created\":1760000000,\"model\":\"stub-1\"," \
  "\"system_fingerprint\":\"fp_stub\","

static int send_chunk(Connection *c) {
  char event[768];
  if (c->converse) return send_event(c->fd, event, converse_delta(event, now_ns()));
  int length = snprintf(event, sizeof event,
                        CHUNK_HEAD "\"choices\":[{\"index\":0,\"delta\":{\"content\":\"@%lld@ tok\"},\"logprobs\":null,"
                                   "\"finish_reason\":null}]}\n\n",
                        now_ns());
  return send_event(c->fd, event, length);
}

static int send_stream_end(Connection *c) {
  if (c->converse) {
    char events[768];
    return send_event(c->fd, events, converse_end(events)) || SEND_TEXT(c->fd, "0\r\n\r\n");
  }
  static const char usage[] = CHUNK_HEAD
      "\"choices\":[],\"usage\":{\"prompt_tokens\":412,\"completion_tokens\":50,\"total_tokens\":462}}\n\n";
  if (c->wants_usage && send_event(c->fd, usage, sizeof usage - 1)) return -1;
  return SEND_TEXT(c->fd, "e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n");
}

static int take_turn(Connection *c, long long due) {
  if (send_chunk(c)) return -1;
  if (--c->chunks_left == 0) return send_stream_end(c);
  long long now = now_ns();
  turns[next_turn++ % MAX_STREAMS] = (Turn){c->fd, c->generation, due + interval_ns > now ? due + interval_ns : now};
  return 0;
}

static int answer(Connection *c, const char *head, const char *body, int length) {
  if (!strncmp(head, "PUT ", 4)) {
    put_count++;
    return SEND_TEXT(c->fd, "HTTP/1.1 200 OK\r\nETag: \"0\"\r\nContent-Length: 0\r\n\r\n");
  }
  if (!strncmp(head, "HEAD ", 5)) return SEND_TEXT(c->fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
  if (!strncmp(head, "GET ", 4)) {
    char text[128], number[32];
    int digits = snprintf(number, sizeof number, "%lld", put_count);
    int bytes = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", digits, number);
    return send_all(c->fd, text, bytes);
  }
  c->converse = strstr(head, "/converse-stream") != NULL;
  if (!c->converse && strstr(head, "/converse ")) return send_all(c->fd, conversation, conversation_bytes);
  if (!c->converse && !memmem(body, length, "\"stream\":true", 13)) return send_all(c->fd, completion, completion_bytes);
  c->chunks_left = chunk_count;
  c->wants_usage = memmem(body, length, "\"include_usage\":true", 20) != NULL;
  c->generation = ++generations;
  turns[next_turn++ % MAX_STREAMS] = (Turn){c->fd, c->generation, now_ns() + interval_ns};
  if (c->converse) {
    char begin[256];
    return SEND_TEXT(c->fd, CONVERSE_HEAD) ||
           send_event(c->fd, begin, event_message(begin, "messageStart", "{\"role\":\"assistant\"}"));
  }
  return SEND_TEXT(c->fd, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
                          "Transfer-Encoding: chunked\r\nConnection: keep-alive\r\n\r\n");
}

// Answers every whole request in the buffer and keeps the rest. Returns -1 when the connection must go.
static int answer_whole_requests(Connection *c) {
  int start = 0;
  for (;;) {
    char *head = c->buffer + start;
    char *end = memmem(head, c->filled - start, "\r\n\r\n", 4);
    if (!end) break;
    *end = 0;
    char *body = end + 4;
    int available = c->buffer + c->filled - body, length = 0, whole = 0;
    char *declared = strcasestr(head, "\r\ncontent-length:");
    if (declared) whole = length = atoi(declared + 17);
    else if (strcasestr(head, "\r\ntransfer-encoding:")) {
      char *last = memmem(body, available, "\r\n0\r\n\r\n", 7);
      length = last ? last - body : 0;
      whole = last ? length + 7 : BUFFER_BYTES;
    }
    if (whole > available) {
      *end = '\r';
      break;
    }
    if (answer(c, head, body, length)) return -1;
    start = body + whole - c->buffer;
  }
  c->filled -= start;
  if (start > 0 && c->filled > 0) memmove(c->buffer, c->buffer + start, c->filled);
  return c->filled < BUFFER_BYTES - 1 ? 0 : -1;
}

static void make_completion(void) {
  char content[800] = "", body[2048];
  while (strlen(content) < 560) strcat(content, "The quarterly report shows steady growth across all regions. ");
  int length = snprintf(body, sizeof body,
                        "{\"id\":\"chatcmpl-stub0123456789\",\"object\":\"chat.completion\",\"created\":1760000000,\"model\":\"stub-1\","
                        "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\",\"refusal\":null,\"annotations\":[]},"
                        "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":412,\"completion_tokens\":118,"
                        "\"total_tokens\":530,\"prompt_tokens_details\":{\"cached_tokens\":0},\"completion_tokens_details\":"
                        "{\"reasoning_tokens\":0}},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_stub\"}",
                        content);
  completion_bytes = snprintf(completion, sizeof completion,
                              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                              "x-request-id: req_stub\r\n\r\n%s",
                              length, body);
  conversation_bytes = converse_answer(conversation, sizeof conversation, content);
}

int main(int count, char **arguments) {
  if (count != 3) return fprintf(stderr, "usage: stub CHUNKS INTERVAL_US\n"), 2;
  chunk_count = atoi(arguments[1]);
  interval_ns = atoll(arguments[2]) * 1000;
  signal(SIGPIPE, SIG_IGN);
  make_crc_table();
  make_completion();
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof address;
  if (bind(listener, (void *)&address, size) || listen(listener, 4096) ||
      getsockname(listener, (void *)&address, &size))
    return perror("stub"), 1;
  printf("%d\n", ntohs(address.sin_port));
  fflush(stdout);
  int poll = epoll_create1(0), timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
  struct epoll_event event = {.events = EPOLLIN, .data.fd = listener}, events[256];
  epoll_ctl(poll, EPOLL_CTL_ADD, listener, &event);
  event.data.fd = timer;
  epoll_ctl(poll, EPOLL_CTL_ADD, timer, &event);
  for (;;) {
    if (first_turn != next_turn) {
      long long due = turns[first_turn % MAX_STREAMS].due;
      struct itimerspec at = {.it_value = {due / 1000000000LL, due % 1000000000LL}};
      timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    }
    int ready = epoll_wait(poll, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      int fd = events[i].data.fd;
      if (fd == listener) {
        for (int new; (new = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0;) {
          if (new >= MAX_FD) { close(new); continue; }
          setsockopt(new, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
          Connection *c = calloc(1, sizeof *c);
          c->fd = new;
          c->buffer = malloc(BUFFER_BYTES);
          connections[new] = c;
          event.data.fd = new;
          epoll_ctl(poll, EPOLL_CTL_ADD, new, &event);
        }
      } else if (fd == timer) {
        char expirations[8];
        if (read(timer, expirations, 8) < 0) continue;
      } else {
        Connection *c = connections[fd];
        if (!c) continue;
        int bytes = recv(fd, c->buffer + c->filled, BUFFER_BYTES - 1 - c->filled, 0);
        if (bytes < 0 && errno == EAGAIN) continue;
        if (bytes > 0) c->buffer[c->filled += bytes] = 0;
        if (bytes <= 0 || answer_whole_requests(c)) drop(c);
      }
    }
    for (long long now = now_ns(); first_turn != next_turn && turns[first_turn % MAX_STREAMS].due <= now;) {
      Turn turn = turns[first_turn++ % MAX_STREAMS];
      Connection *c = connections[turn.fd];
      if (c && c->generation == turn.generation && take_turn(c, turn.due)) drop(c);
    }
  }
}
