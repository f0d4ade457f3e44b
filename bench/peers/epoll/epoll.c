/*
 * The lower bound: a random-pair WebSocket relay on raw epoll that does nothing
 * but read, unmask in place and write. One thread, one 64 KiB read buffer, one
 * record of 32 bytes for each descriptor, no allocation but for what a full socket
 * refuses.
 *
 *   cc -O2 -o epoll epoll.c && ./epoll --listen 127.0.0.1:8080
 *
 * What it leaves out, on purpose: timeouts, limits, UTF-8, metrics, fragments'
 * order, close codes. What it keeps: every byte, its order, its partner, and
 * bounded memory (a sender is paused while its partner's socket is full).
 *
 * A frame that is not whole yet is passed on as its bytes come; a partner in the
 * middle of whose frame the sender dies is closed too.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef READ_BUFFER /* 256 << 10 makes streams a third cheaper still */
#define READ_BUFFER (64 << 10)
#endif

enum { EVENTS = 512, ACCEPTS = 64, READS = 4, HEAD = 4 << 10 };
enum state { CLOSED, UPGRADING, OPEN };

/* Bytes that wait: for the receiver's socket, or for the rest of a request. */
struct held {
	uint32_t off, len;
	uint8_t data[];
};

struct conn {
	struct held *held;   /* not sent yet, or the request so far */
	int32_t partner;     /* descriptor, 0 for none, its own for /echo */
	uint32_t left;       /* payload bytes of the present frame still to come */
	uint32_t mask;       /* turned so that its first byte is for the next one */
	uint8_t state;
	uint8_t paused;      /* not read: the partner's socket is full */
	uint8_t drop;        /* the present frame goes nowhere */
	uint8_t head_len;    /* bytes in head */
	uint8_t head[8];     /* a frame header that is not whole yet */
};

static struct conn *conns;
static int max_fd, listener, waiting;
#ifndef URING
static int ep;
static uint8_t buf[16 + READ_BUFFER + 32] __attribute__((aligned(64)));
#endif

static const char SORRY[] = "\x81\x37Sorry you dont have partner yet, check back in a minute";

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- SHA-1 and base64, for Sec-WebSocket-Accept (RFC 6455, 4.2.2) ---- */

static uint32_t rol(uint32_t x, int n) { return x << n | x >> (32 - n); }

static void sha1_block(uint32_t h[5], const uint8_t *p)
{
	uint32_t w[80], a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
	for (int i = 0; i < 16; i++)
		w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
	for (int i = 16; i < 80; i++)
		w[i] = rol(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (int i = 0; i < 80; i++) {
		uint32_t f, k;
		if (i < 20)
			f = (b & c) | (~b & d), k = 0x5a827999;
		else if (i < 40)
			f = b ^ c ^ d, k = 0x6ed9eba1;
		else if (i < 60)
			f = (b & c) | (b & d) | (c & d), k = 0x8f1bbcdc;
		else
			f = b ^ c ^ d, k = 0xca62c1d6;
		uint32_t t = rol(a, 5) + f + e + k + w[i];
		e = d, d = c, c = rol(b, 30), b = a, a = t;
	}
	h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
}

/* The key's 24 characters in, the 28 of the accept value out. */
static void accept_value(const char *key, char *out)
{
	static const char guid[] = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
	static const char alphabet[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	uint8_t m[128] = {0}, d[21] = {0};
	memcpy(m, key, 24);
	memcpy(m + 24, guid, 36);
	m[60] = 0x80;
	m[126] = (60 * 8) >> 8, m[127] = (60 * 8) & 255;
	sha1_block(h, m);
	sha1_block(h, m + 64);
	for (int i = 0; i < 20; i++)
		d[i] = h[i / 4] >> (24 - 8 * (i % 4));
	for (int i = 0; i < 7; i++) {
		uint32_t v = d[3 * i] << 16 | d[3 * i + 1] << 8 | d[3 * i + 2];
		for (int j = 0; j < 4; j++)
			out[4 * i + j] = alphabet[v >> (18 - 6 * j) & 63];
	}
	out[27] = '=';
}

/* ---- sockets ---- */

#ifndef URING /* uring.c has the relay in common, and moves bytes in another way */
static void watch(int fd, int op, uint32_t events)
{
	struct epoll_event e = {.events = events, .data.fd = fd};
	if (epoll_ctl(ep, op, fd, &e) < 0)
		die("epoll_ctl");
}

/* Edge-triggered, everything asked for once: this delivers what is pending again. */
enum { ALL = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET };

static void again(int fd)
{
	watch(fd, EPOLL_CTL_MOD, ALL);
}
#else
static void again(int fd);
#endif

static void hold(int fd, const uint8_t *p, size_t n)
{
	struct conn *c = &conns[fd];
	size_t have = c->held ? c->held->len - c->held->off : 0;
	struct held *h = malloc(sizeof *h + have + n);
	if (!h)
		die("malloc");
	h->off = 0, h->len = have + n;
	if (have)
		memcpy(h->data, c->held->data + c->held->off, have);
	memcpy(h->data + have, p, n);
	free(c->held);
	c->held = h;
}

/* Writes or holds all of p. True when the socket took it all. */
#ifdef URING
static int send_all(int fd, const uint8_t *p, size_t n);
static void gone(int fd);
#else
static void gone(int fd) { close(fd); }

static int send_all(int fd, const uint8_t *p, size_t n)
{
	struct conn *c = &conns[fd];
	if (c->held) {
		hold(fd, p, n);
		return 0;
	}
	ssize_t w = write(fd, p, n);
	if (w == (ssize_t)n)
		return 1;
	if (w < 0) {
		if (errno != EAGAIN && errno != EINTR)
			return 1; /* it is gone; its own event closes it */
		w = 0;
	}
	hold(fd, p + w, n - w);
	return 0;
}
#endif

static void finish(int fd);

static void join(int fd)
{
	conns[fd].partner = 0;
	if (!waiting) {
		waiting = fd;
		return;
	}
	conns[fd].partner = waiting;
	conns[waiting].partner = fd;
	waiting = 0;
}

static void finish(int fd)
{
	struct conn *c = &conns[fd];
	int partner = c->partner, cut = (c->left || c->head_len) && !c->drop;
	if (waiting == fd)
		waiting = 0;
	free(c->held);
	memset(c, 0, sizeof *c);
	gone(fd);
	if (!partner || partner == fd)
		return;
	struct conn *p = &conns[partner];
	p->partner = 0;
	if (p->left)
		p->drop = 1;
	if (cut) {
		finish(partner);
		return;
	}
	if (p->paused) {
		p->paused = 0;
		again(partner);
	}
	join(partner);
}

/* ---- the relay ---- */

typedef uint8_t wide __attribute__((vector_size(32), aligned(1), may_alias));
typedef uint32_t masks __attribute__((vector_size(32)));

/*
 * Unmasks n bytes from src to dst, which may lie anywhere at or before src: no
 * byte is overwritten before it is read.
 */
static inline void unmask(uint8_t *dst, const uint8_t *src, size_t n, uint32_t mask)
{
	size_t i = 0;
	masks m32 = {mask, mask, mask, mask, mask, mask, mask, mask};
	wide m = (wide)m32;
	for (; i + 32 <= n; i += 32)
		*(wide *)(dst + i) = *(const wide *)(src + i) ^ m;
	for (; i + 4 <= n; i += 4) {
		uint32_t v;
		memcpy(&v, src + i, 4);
		v ^= mask;
		memcpy(dst + i, &v, 4);
	}
	for (int s = 0; i < n; i++, s += 8)
		dst[i] = src[i] ^ (uint8_t)(mask >> s);
}

static uint32_t turn(uint32_t mask, size_t n)
{
	int s = 8 * (n & 3);
	return s ? mask >> s | mask << (32 - s) : mask;
}

/* Relays the n bytes at p, with up to 8 free bytes before p for a kept header. */
static void relay(int fd, uint8_t *p, size_t n)
{
	struct conn *c = &conns[fd];
	if (c->head_len) {
		p -= c->head_len;
		n += c->head_len;
		memcpy(p, c->head, c->head_len);
		c->head_len = 0;
	}
	uint8_t *end = p + n, *start = p, *out = p;
	while (p < end) {
		if (c->left) {
			size_t part = (size_t)(end - p) < c->left ? (size_t)(end - p) : c->left;
			if (!c->drop) {
				unmask(out, p, part, c->mask);
				out += part;
			}
			p += part;
			c->left -= part;
			if (c->left)
				c->mask = turn(c->mask, part);
			else
				c->drop = 0;
			continue;
		}
		size_t have = end - p, head = 6;
		uint64_t len = have > 1 ? p[1] & 127 : 0;
		if (len == 126)
			head = 8;
		else if (len == 127) {
			finish(fd); /* over 64 KiB: not here */
			return;
		}
		if (have < head) {
			memcpy(c->head, p, have);
			c->head_len = have;
			break;
		}
		if (!(p[1] & 128)) {
			finish(fd);
			return;
		}
		if (len == 126)
			len = p[2] << 8 | p[3];
		uint32_t mask;
		memcpy(&mask, p + head - 4, 4);
		int op = p[0] & 15;
		if (op >= 8) {
			/* Control frames are answered here. One that is not whole goes unanswered. */
			if (out > start)
				send_all(c->partner, start, out - start);
			out = start;
			if (op == 8) {
				send_all(fd, (const uint8_t *)"\x88\x00", 2);
				finish(fd);
				return;
			}
			if (have < head + len) {
				c->left = len;
				c->drop = 1;
				p += head;
				out = start = p;
				continue;
			}
			if (op == 9 && !(c->partner && conns[c->partner].left)) {
				uint8_t pong[127] = {0x8a, len};
				unmask(pong + 2, p + head, len, mask);
				send_all(fd, pong, 2 + len);
			}
			p += head + len;
			out = start = p;
			continue;
		}
		c->left = len;
		c->mask = mask;
		if (!c->partner) {
			c->drop = 1;
			send_all(fd, (const uint8_t *)SORRY, sizeof SORRY - 1);
		} else if (out == start) {
			/* The first of this read stays where it is. */
			uint8_t first = p[0], b1 = p[1] & 127, b2 = p[2], b3 = p[3];
			out = start = p + 4;
			out[0] = first, out[1] = b1;
			if (head == 8)
				out[2] = b2, out[3] = b3;
			out += head - 4;
		} else {
			out[0] = p[0], out[1] = p[1] & 127;
			if (head == 8)
				out[2] = p[2], out[3] = p[3];
			out += head - 4;
		}
		p += head;
		if (!len)
			c->drop = 0;
	}
	if (out > start && !send_all(c->partner, start, out - start))
		c->paused = 1;

}

/* Answers the upgrade once the request is whole. */
static void upgrade(int fd, uint8_t *p, size_t n)
{
	struct conn *c = &conns[fd];
	if (c->held) {
		size_t have = c->held->len;
		if (have + n > HEAD) {
			finish(fd);
			return;
		}
		memmove(p + have, p, n);
		memcpy(p, c->held->data, have);
		n += have;
		free(c->held);
		c->held = 0;
	}
	uint8_t *end = memmem(p, n, "\r\n\r\n", 4);
	if (!end) {
		hold(fd, p, n);
		return;
	}
	char *key = 0;
	for (uint8_t *q = p; q < end; q++) {
		q = memchr(q, '\n', end - q);
		if (!q)
			break;
		if (end - q > 43 && !strncasecmp((char *)q + 1, "Sec-WebSocket-Key:", 18)) {
			key = (char *)q + 19;
			while (*key == ' ')
				key++;
			break;
		}
	}
	int echo = !memcmp(p, "GET /echo ", 10);
	if (!key || (char *)end - key < 24 || (!echo && memcmp(p, "GET /ws ", 8))) {
		static const char no[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
		if (write(fd, no, sizeof no - 1) < 0) {
		}
		finish(fd);
		return;
	}
	char yes[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
		     "Connection: Upgrade\r\nSec-WebSocket-Accept: "
		     "0123456789012345678901234567\r\n\r\n";
	accept_value(key, yes + sizeof yes - 1 - 32);
	if (write(fd, yes, sizeof yes - 1) != sizeof yes - 1) {
		finish(fd);
		return;
	}
	c->state = OPEN;
	if (echo)
		c->partner = fd;
	else
		join(fd);
	end += 4;
	if (end < p + n)
		relay(fd, end, p + n - end);
}

#ifndef URING
/*
 * Reads until a read is not full, which leaves nothing behind but an end of file
 * that the event has told of (gone).
 */
static void readable(int fd, int gone)
{
	struct conn *c = &conns[fd];
	for (int i = 0; c->state != CLOSED && !c->paused; i++) {
		if (i == READS) {
			again(fd);
			return;
		}
		ssize_t n = read(fd, buf + 16, READ_BUFFER);
		if (n <= 0) {
			if (n < 0 && (errno == EAGAIN || errno == EINTR))
				return;
			finish(fd);
			return;
		}
		if (c->state == OPEN)
			relay(fd, buf + 16, n);
		else
			upgrade(fd, buf + 16, n);
		if (n < READ_BUFFER && !gone)
			return;
	}
}

static void writable(int fd)
{
	struct conn *c = &conns[fd];
	struct held *h = c->held;
	if (!h)
		return;
	ssize_t w = write(fd, h->data + h->off, h->len - h->off);
	if (w < 0) {
		if (errno != EAGAIN && errno != EINTR)
			finish(fd);
		return;
	}
	h->off += w;
	if (h->off < h->len)
		return;
	free(h);
	c->held = 0;
	if (c->partner && conns[c->partner].paused) {
		conns[c->partner].paused = 0;
		again(c->partner);
	}
}

static void accept_some(void)
{
	for (int i = 0; i < ACCEPTS; i++) {
		int fd = accept4(listener, 0, 0, SOCK_NONBLOCK | SOCK_CLOEXEC);
		if (fd < 0)
			return;
		if (fd >= max_fd) {
			close(fd);
			continue;
		}
		conns[fd].state = UPGRADING;
		watch(fd, EPOLL_CTL_ADD, ALL);
		readable(fd, 0); /* the request is often there already */
	}
}

#else
static void loop(void);
#endif

int main(int argc, char **argv)
{
	const char *address = "127.0.0.1:8080";
	for (int i = 1; i < argc; i++)
		if (!strcmp(argv[i], "--listen") && i + 1 < argc)
			address = argv[++i];
	char host[64];
	int port;
	if (sscanf(address, "%63[^:]:%d", host, &port) != 2) {
		fprintf(stderr, "epoll: --listen wants ADDRESS:PORT\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);

	struct rlimit lim;
	if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
		lim.rlim_cur = lim.rlim_max;
		setrlimit(RLIMIT_NOFILE, &lim);
	}
	max_fd = lim.rlim_cur < 1 << 22 ? (int)lim.rlim_cur : 1 << 22;
	conns = calloc(max_fd, sizeof *conns);
	if (!conns)
		die("calloc");

	struct sockaddr_in sa = {.sin_family = AF_INET, .sin_port = htons(port)};
	socklen_t sa_len = sizeof sa;
	int one = 1;
	if (inet_pton(AF_INET, host, &sa.sin_addr) != 1)
		die("--listen");
	listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	setsockopt(listener, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one); /* inherited */
	if (bind(listener, (struct sockaddr *)&sa, sizeof sa) < 0 || listen(listener, 65535) < 0)
		die("listen");
	getsockname(listener, (struct sockaddr *)&sa, &sa_len);
	printf("listening on http://%s:%d\n", host, ntohs(sa.sin_port));
	fflush(stdout);
#ifdef URING
	loop();
#else
	ep = epoll_create1(EPOLL_CLOEXEC);
	watch(listener, EPOLL_CTL_ADD, EPOLLIN);

	struct epoll_event events[EVENTS];
	for (;;) {
		int n = epoll_wait(ep, events, EVENTS, -1);
		for (int i = 0; i < n; i++) {
			int fd = events[i].data.fd;
			if (fd == listener) {
				accept_some();
				continue;
			}
			/* A number that was closed and reused in this batch: only a hint. */
			if (conns[fd].held && conns[fd].state == OPEN && events[i].events & EPOLLOUT)
				writable(fd);
			if (events[i].events & ~EPOLLOUT)
				readable(fd, events[i].events & ~(EPOLLIN | EPOLLOUT));
		}
	}
#endif
}
