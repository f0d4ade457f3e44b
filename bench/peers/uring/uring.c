/*
 * The relay of epoll.c on io_uring: multishot accept, multishot receive into a ring of
 * provided buffers, and sends from those same buffers, so that what a thousand sockets
 * have brought is received and sent by one system call.
 *
 *   cc -O2 -I ../epoll -o uring uring.c -luring && ./uring --listen 127.0.0.1:8080
 *
 * A probe: it shows what the kernel's interface costs with messages that are answered.
 * It pauses nobody, so it is not for streams.
 */
#define URING
#include "epoll.c"

#include <liburing.h>

enum { ENTRIES = 8192, BUFFERS = 8192, SIZE = 4096, ROOM = 16 };
enum kind { ACCEPT, RECEIVE, SEND };

/* A send under way: from a provided buffer, or from a copy. */
struct job {
	struct job *next;
	void *copy;
	uint32_t generation;
	int fd, buffer;
};

static struct io_uring ring;
static struct io_uring_buf_ring *provided;
static uint8_t *memory;
static uint16_t users[BUFFERS]; /* of each buffer: sends from it, and the relay */
static int present = -1;        /* the buffer that is being relayed */
static uint32_t *generations;
static uint8_t *sending;
static struct job *jobs;

static uint64_t tag(enum kind k, int fd)
{
	return (uint64_t)k << 56 | (uint64_t)(generations[fd] & 0xffffff) << 32 | (uint32_t)fd;
}

static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *e = io_uring_get_sqe(&ring);
	if (!e) {
		io_uring_submit(&ring);
		e = io_uring_get_sqe(&ring);
	}
	if (!e)
		die("io_uring_get_sqe");
	return e;
}

static void give(int buffer)
{
	if (--users[buffer])
		return;
	io_uring_buf_ring_add(provided, memory + (size_t)buffer * SIZE + ROOM, SIZE - 3 * ROOM, buffer,
			      io_uring_buf_ring_mask(BUFFERS), 0);
	io_uring_buf_ring_advance(provided, 1);
}

static void receive(int fd)
{
	struct io_uring_sqe *e = entry();
	io_uring_prep_recv_multishot(e, fd, 0, 0, 0);
	e->flags |= IOSQE_BUFFER_SELECT;
	e->buf_group = 0;
	e->user_data = tag(RECEIVE, fd);
}

/* Nobody is paused. */
static void again(int fd) { (void)fd; }

/* What the ring still has of fd ends because of the shutdown, and is another's by its
 * generation. */
static void gone(int fd)
{
	generations[fd]++;
	sending[fd] = 0;
	shutdown(fd, SHUT_RDWR);
	close(fd);
}

static int send_all(int fd, const uint8_t *p, size_t n)
{
	if (sending[fd]) {
		hold(fd, p, n);
		return 1;
	}
	struct job *j = jobs;
	if (j)
		jobs = j->next;
	else if (!(j = malloc(sizeof *j)))
		die("malloc");
	*j = (struct job){.fd = fd, .generation = generations[fd], .buffer = -1};
	if (present >= 0 && p >= memory + (size_t)present * SIZE && p < memory + (size_t)(present + 1) * SIZE) {
		j->buffer = present;
		users[present]++;
	} else {
		j->copy = malloc(n);
		p = memcpy(j->copy, p, n);
	}
	sending[fd] = 1;
	struct io_uring_sqe *e = entry();
	io_uring_prep_send(e, fd, p, n, MSG_WAITALL | MSG_NOSIGNAL);
	e->user_data = (uint64_t)SEND << 56 | (uint64_t)(uintptr_t)j;
	return 1;
}

static void sent(struct job *j)
{
	int fd = j->fd;
	if (j->buffer >= 0)
		give(j->buffer);
	free(j->copy);
	if (j->generation == generations[fd]) {
		struct held *h = conns[fd].held;
		sending[fd] = 0;
		if (h && conns[fd].state == OPEN) {
			conns[fd].held = 0;
			send_all(fd, h->data, h->len);
			free(h);
		}
	}
	j->next = jobs;
	jobs = j;
}

static void received(struct io_uring_cqe *c)
{
	int fd = (uint32_t)c->user_data, n = c->res;
	int mine = (c->user_data >> 32 & 0xffffff) == (generations[fd] & 0xffffff);
	if (c->flags & IORING_CQE_F_BUFFER) {
		present = c->flags >> IORING_CQE_BUFFER_SHIFT;
		users[present]++;
		uint8_t *p = memory + (size_t)present * SIZE + ROOM;
		if (mine && n > 0 && conns[fd].state == OPEN)
			relay(fd, p, n);
		else if (mine && n > 0)
			upgrade(fd, p, n);
		give(present);
		present = -1;
		mine = (c->user_data >> 32 & 0xffffff) == (generations[fd] & 0xffffff);
	}
	if (!mine)
		return;
	if (n == 0 || (n < 0 && n != -ENOBUFS))
		finish(fd);
	else if (!(c->flags & IORING_CQE_F_MORE))
		receive(fd);
}

static void accepted(struct io_uring_cqe *c)
{
	if (!(c->flags & IORING_CQE_F_MORE)) {
		struct io_uring_sqe *e = entry();
		io_uring_prep_multishot_accept(e, listener, 0, 0, SOCK_CLOEXEC);
		e->user_data = tag(ACCEPT, listener);
	}
	int fd = c->res;
	if (fd < 0)
		return;
	if (fd >= max_fd) {
		close(fd);
		return;
	}
	conns[fd].state = UPGRADING;
	receive(fd);
}

static void loop(void)
{
	struct io_uring_params p = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE, .cq_entries = 4 * ENTRIES};
	int error = io_uring_queue_init_params(ENTRIES, &ring, &p);
	if (error < 0) {
		errno = -error;
		die("io_uring_queue_init");
	}
	provided = aligned_alloc(4096, BUFFERS * sizeof(struct io_uring_buf));
	memory = malloc((size_t)BUFFERS * SIZE);
	generations = calloc(max_fd, sizeof *generations);
	sending = calloc(max_fd, 1);
	if (!provided || !memory || !generations || !sending)
		die("buffers");
	struct io_uring_buf_reg registration = {.ring_addr = (uintptr_t)provided, .ring_entries = BUFFERS};
	if ((error = io_uring_register_buf_ring(&ring, &registration, 0)) < 0) {
		errno = -error;
		die("io_uring_register_buf_ring");
	}
	io_uring_buf_ring_init(provided);
	for (int i = 0; i < BUFFERS; i++) {
		users[i] = 1;
		give(i);
	}
	accepted(&(struct io_uring_cqe){.res = -1});
	for (;;) {
		struct io_uring_cqe *c;
		unsigned head, seen = 0;
		io_uring_submit_and_wait(&ring, 1);
		io_uring_for_each_cqe(&ring, head, c)
		{
			seen++;
			switch (c->user_data >> 56) {
			case ACCEPT:
				accepted(c);
				break;
			case RECEIVE:
				received(c);
				break;
			default:
				sent((struct job *)(uintptr_t)(c->user_data & 0xffffffffffffff));
			}
		}
		io_uring_cq_advance(&ring, seen);
	}
}
