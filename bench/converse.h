// Amazon Bedrock's Converse and ConverseStream, for stub.c: JSON, and the binary messages of application/vnd.amazon.eventstream.
// Source: docs.aws.amazon.com, "Amazon Bedrock API reference" and "Event stream encoding".
// A chunk's departure is told in letters, #dbaj…# (a is 0): in digits it would be a telephone number to a filter.
#include <stdint.h>

#define CONVERSE_USAGE "\"usage\":{\"inputTokens\":412,\"outputTokens\":118,\"totalTokens\":530},\"metrics\":{\"latencyMs\":1}"

static uint32_t crc_table[256];

static void make_crc_table(void) {
  for (uint32_t n = 0; n < 256; n++) {
    uint32_t c = n;
    for (int bit = 0; bit < 8; bit++) c = c & 1 ? 0xedb88320 ^ (c >> 1) : c >> 1;
    crc_table[n] = c;
  }
}

static uint32_t crc_of(const char *bytes, int length) {
  uint32_t c = 0xffffffff;
  for (int i = 0; i < length; i++) c = crc_table[(c ^ (uint8_t)bytes[i]) & 255] ^ (c >> 8);
  return c ^ 0xffffffff;
}

static char *put_number(char *at, uint32_t value) {
  *(uint32_t *)at = htonl(value);
  return at + 4;
}

static char *put_header(char *at, const char *name, const char *value) {
  int name_bytes = strlen(name), value_bytes = strlen(value);
  *at++ = name_bytes;
  at = (char *)memcpy(at, name, name_bytes) + name_bytes;
  *at++ = 7; // A string.
  *at++ = value_bytes >> 8;
  *at++ = value_bytes;
  return (char *)memcpy(at, value, value_bytes) + value_bytes;
}

// @returns the message's length
static int event_message(char *message, const char *type, const char *payload) {
  int payload_bytes = strlen(payload);
  char *at = put_header(message + 12, ":event-type", type);
  at = put_header(at, ":content-type", "application/json");
  at = put_header(at, ":message-type", "event");
  int header_bytes = at - message - 12, whole = 16 + header_bytes + payload_bytes;
  put_number(put_number(message, whole), header_bytes);
  put_number(message + 8, crc_of(message, 8));
  memcpy(at, payload, payload_bytes);
  put_number(at + payload_bytes, crc_of(message, whole - 4));
  return whole;
}

static int converse_delta(char *message, long long now) {
  char digits[32], payload[256];
  snprintf(digits, sizeof digits, "%lld", now);
  for (char *at = digits; *at; at++) *at += 'a' - '0';
  snprintf(payload, sizeof payload, "{\"contentBlockIndex\":0,\"delta\":{\"text\":\" #%s# tok\"},\"p\":\"abcdefgh\"}", digits);
  return event_message(message, "contentBlockDelta", payload);
}

static int converse_end(char *message) {
  int length = event_message(message, "contentBlockStop", "{\"contentBlockIndex\":0}");
  length += event_message(message + length, "messageStop", "{\"stopReason\":\"end_turn\"}");
  return length + event_message(message + length, "metadata", "{" CONVERSE_USAGE "}");
}

static int converse_answer(char *answer, int room, const char *content) {
  char body[2048];
  int length = snprintf(body, sizeof body,
                        "{\"output\":{\"message\":{\"role\":\"assistant\",\"content\":[{\"text\":\"%s\"}]}},"
                        "\"stopReason\":\"end_turn\"," CONVERSE_USAGE "}",
                        content);
  return snprintf(answer, room,
                  "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
                  "x-amzn-RequestId: 01999999-0000-4000-8000-000000000000\r\n\r\n%s",
                  length, body);
}

static const char CONVERSE_HEAD[] =
    "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nTransfer-Encoding: chunked\r\n"
    "x-amzn-RequestId: 01999999-0000-4000-8000-000000000000\r\n\r\n";
