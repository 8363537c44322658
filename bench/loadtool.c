/* Both ends of a gateway benchmark in one small program and one thread, so that neither is what is measured.

   loadtool BACKEND EVENTS PORT FILE CONNS SECONDS RATE

   It listens on port BACKEND and answers with a short chat completion, or a stream of EVENTS events; and it sends
   requests as in FILE over CONNS connections to PORT, RATE 0: as fast as answers come, else so many a second in all,
   on time (open loop). It prints: requests errors p50_us p99_us events bytes.

   An answer is over after its content-length or its last chunk; an event is a blank line in a chunked body. The
   thread polls and never sleeps: to wake a sleeping one costs whoever sends to it more than a proxy's whole work. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define BUFFER (1 << 17)

struct conn {
    int fd, busy, chunked, events_left, body_left, in_head;
    size_t have, sent;
    double began, due;
    char buf[BUFFER];
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void die(const char *what) { perror(what); exit(1); }

static void nonblocking(int fd) {
    int one = 1;
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

static struct sockaddr_in local(int port) {
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static void watch(int ep, int op, int fd, uint32_t events, void *data) {
    struct epoll_event e = {.events = events, .data.ptr = data};
    epoll_ctl(ep, op, fd, &e);
}

/* The number after a field's name in a head, or -1. */
static long field(const char *head, const char *name) {
    const char *at = strcasestr(head, name);
    return at ? strtol(at + strlen(name), NULL, 10) : -1;
}

/* ---- the backend ---- */

static const char BODY[] = "{\"id\":\"chatcmpl-1\",\"object\":\"chat.completion\",\"created\":1795242513,\"model\":\"backend\","
    "\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"Hello from the backend, at your service.\"},"
    "\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":15,\"completion_tokens\":8,\"total_tokens\":23}}";
static const char EVENT[] = "data: {\"id\":\"chatcmpl-b5ac2a232d52b695\",\"object\":\"chat.completion.chunk\",\"created\":1795242513,"
    "\"model\":\"backend\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" word\"},\"logprobs\":null,\"finish_reason\":null,"
    "\"token_ids\":null}]}\n\n";
static const char LAST[] = "data: {\"id\":\"chatcmpl-b5ac2a232d52b695\",\"object\":\"chat.completion.chunk\",\"created\":1795242513,"
    "\"model\":\"backend\",\"choices\":[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
static char whole[2048], event[1024], last[2048];
static const char START[] = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\nserver: fake\r\n"
    "transfer-encoding: chunked\r\n\r\n";
static size_t whole_len, event_len, last_len;

static void finish_write(int fd, const char *data, size_t len) {
    while (len) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN) return;
        if (n > 0) { data += n; len -= n; }
    }
}

static int serve_request(struct conn *c, int events) {
    c->buf[c->have] = 0;
    char *end = strstr(c->buf, "\r\n\r\n");
    if (!end) return 0;
    long length = field(c->buf, "content-length:");
    size_t total = (end + 4 - c->buf) + (length > 0 ? length : 0);
    if (c->have < total) return 0;
    int streamed = strstr(end, "\"stream\":true") != NULL;
    c->have = 0;
    if (streamed) {
        finish_write(c->fd, START, sizeof START - 1);
        c->events_left = events;
    } else {
        finish_write(c->fd, whole, whole_len);
    }
    return streamed;
}

static int backend, listening, streams, count, stream_events;
static struct conn *all_served[8192];

static void serve(int port, int events) {
    int one = 1;
    struct sockaddr_in a = local(port);
    backend = epoll_create1(0);
    listening = socket(AF_INET, SOCK_STREAM, 0);
    stream_events = events;
    setsockopt(listening, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(listening, (struct sockaddr *)&a, sizeof a) || listen(listening, 4096)) die("serve");
    nonblocking(listening);
    watch(backend, EPOLL_CTL_ADD, listening, EPOLLIN, NULL);
    whole_len = sprintf(whole, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nserver: fake\r\n"
        "date: Sat, 21 Nov 2026 06:28:32 GMT\r\ncontent-length: %zu\r\n\r\n%s", sizeof BODY - 1, BODY);
    event_len = sprintf(event, "%zx\r\n%s\r\n", sizeof EVENT - 1, EVENT);
    last_len = sprintf(last, "%zx\r\n%s\r\n0\r\n\r\n", sizeof LAST - 1, LAST);
}

static void take_connection(void) {
    int fd = accept(listening, NULL, NULL);
    if (fd < 0) return;
    struct conn *c = calloc(1, sizeof *c);
    nonblocking(fd);
    c->fd = fd;
    watch(backend, EPOLL_CTL_ADD, fd, EPOLLIN, c);
    all_served[count++] = c;
    if (count == 8192) exit(1);
}

static void lose_connection(struct conn *c) {
    streams -= c->events_left > 0;
    for (int j = 0; j < count; j++) if (all_served[j] == c) { all_served[j] = all_served[--count]; break; }
    close(c->fd);
    free(c);
}

/* One event for each stream in turn. */
static void stream_on(void) {
    for (int i = 0; streams && i < count; i++) {
        struct conn *c = all_served[i];
        if (!c->events_left) continue;
        if (c->events_left == 1) {
            finish_write(c->fd, last, last_len);
            c->events_left = 0;
            streams--;
        } else if (send(c->fd, event, event_len, MSG_NOSIGNAL) == (ssize_t)event_len) {
            c->events_left--;
        } else if (errno != EAGAIN) {
            c->events_left = 0;
            streams--;
        }
    }
}

static void serve_some(void) {
    struct epoll_event found[256];
    int n = epoll_wait(backend, found, 256, 0);
    for (int i = 0; i < n; i++) {
        struct conn *c = found[i].data.ptr;
        if (!c) { take_connection(); continue; }
        ssize_t got = recv(c->fd, c->buf + c->have, BUFFER - 1 - c->have, 0);
        if (got > 0) {
            c->have += got;
            streams += serve_request(c, stream_events);
        } else if (got == 0 || errno != EAGAIN) {
            lose_connection(c);
        }
    }
    stream_on();
}

/* ---- the load ---- */

static char request[1 << 20];
static size_t request_len;
static float *times;
static long done, errors, events_seen, bytes_seen, times_cap = 20000000;

static void begin(struct conn *c, double due) {
    c->busy = 1; c->in_head = 1; c->have = 0; c->began = due;
    finish_write(c->fd, request, request_len);
}

static void end(struct conn *c, int good) {
    double t = now();
    if (good && done < times_cap) times[done] = (t - c->began) * 1e6;
    if (good) done++; else errors++;
    c->busy = 0;
}

static int ends_chunked(struct conn *c) {
    return c->have >= 5 && !memcmp(c->buf + c->have - 5, "0\r\n\r\n", 5) && (c->have == 5 || c->buf[c->have - 6] == '\n');
}

static void take(struct conn *c) {
    if (c->in_head) {
        c->buf[c->have] = 0;
        char *head_end = strstr(c->buf, "\r\n\r\n");
        if (!head_end) return;
        if (strncmp(c->buf, "HTTP/1.1 200", 12)) { end(c, 0); return; }
        *head_end = 0;
        long length = field(c->buf, "content-length:");
        c->chunked = length < 0;
        size_t head = head_end + 4 - c->buf;
        c->in_head = 0;
        c->body_left = length - (long)(c->have - head);
        memmove(c->buf, c->buf + head, c->have - head);
        c->have -= head;
        if (!c->chunked) c->have = 0;
    } else if (!c->chunked) {
        c->body_left -= c->have;
        c->have = 0;
    }
    if (!c->chunked) {
        if (c->body_left <= 0) end(c, 1);
        return;
    }
    for (char *at = c->buf; (at = memmem(at, c->buf + c->have - at, "}\n\n", 3)); at += 3) events_seen++;
    if (ends_chunked(c)) { end(c, 1); c->have = 0; return; }
    if (c->have > 8) {  /* keep what a mark may be torn across */
        memmove(c->buf, c->buf + c->have - 2, 2);
        if (c->buf[0] == '\n' && c->buf[1] == '\n') c->buf[0] = ' ';
        c->have = 2;
    }
}

static int by_time(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void load(int port, const char *file, int conns, double seconds, double rate) {
    FILE *f = fopen(file, "rb");
    if (!f) die(file);
    request_len = fread(request, 1, sizeof request, f);
    fclose(f);
    times = malloc(times_cap * sizeof *times);
    int ep = epoll_create1(0);
    struct conn **all = calloc(conns, sizeof *all);
    struct sockaddr_in a = local(port);
    for (int i = 0; i < conns; i++) {
        all[i] = calloc(1, sizeof **all);
        all[i]->fd = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(all[i]->fd, (struct sockaddr *)&a, sizeof a)) die("connect");
        nonblocking(all[i]->fd);
        watch(ep, EPOLL_CTL_ADD, all[i]->fd, EPOLLIN, all[i]);
    }
    double start = now(), stop = start + seconds, next = start;
    if (!rate) for (int i = 0; i < conns; i++) begin(all[i], now());
    while (now() < stop) {
        struct epoll_event found[256];
        serve_some();
        int n = epoll_wait(ep, found, 256, 0);
        for (int i = 0; i < n; i++) {
            struct conn *c = found[i].data.ptr;
            ssize_t got = recv(c->fd, c->buf + c->have, BUFFER - 1 - c->have, 0);
            if (got <= 0) {
                if (got < 0 && errno == EAGAIN) continue;
                fprintf(stderr, "connection closed\n");
                exit(1);
            }
            bytes_seen += got;
            c->have += got;
            if (c->busy) take(c);
            if (!c->busy && !rate) begin(c, now());
        }
        if (rate)
            for (int i = 0; i < conns && next <= now(); i++)
                if (!all[i]->busy) { begin(all[i], now()); next += 1 / rate; }
    }
    qsort(times, done, sizeof *times, by_time);
    printf("%ld %ld %.1f %.1f %ld %ld\n", done, errors, done ? times[done / 2] : 0, done ? times[done * 99 / 100] : 0,
           events_seen, bytes_seen);
}

int main(int argc, char **argv) {
    if (argc != 8) { fprintf(stderr, "see the head of loadtool.c\n"); return 2; }
    serve(atoi(argv[1]), atoi(argv[2]));
    load(atoi(argv[3]), argv[4], atoi(argv[5]), atof(argv[6]), atof(argv[7]));
    return 0;
}
