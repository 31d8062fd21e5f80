/* A program in C, without a library: all that it knows of the system is what the documentation of the crate
 * `proto`, module `program`, says.
 *
 *     cc -nostdlib -static -o cexample cexample.c
 *     cargo run -- --program cexample --script 'run cexample one two; exit'
 *
 * It prints its arguments and what it reads in the pages of machine and process, sleeps by a call that it
 * waits for, sends events to a queue of its own and takes them out, lets a child run, and returns 42.
 */

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

/* program::block */
struct call {
	u32 number;
	u8 options;
	volatile u8 done;
	u8 zero[2];
	volatile long outcome;
	volatile u64 value;
	u64 argument[5];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct call) == 64, "program::block::BYTES");

/* program::number */
enum { EXIT = 1, YIELD = 2, WRITE = 3, CREATE = 4, RUN = 5, WAIT = 7, SLEEP = 13, SEND = 39 };

#define STARTED 0x7fffffffffffffffL
#define WANTS_EVENT 1
#define CONSOLE 1
#define ALL_HANDLES 1

/* program::layout, with fields of program::global, program::info and program::data */
#define GLOBAL 0x3fe00000UL
#define INFO 0x3fe01000UL
#define DATA 0x3fe80000UL
#define FIELD(type, page, offset) (*(volatile type *)((page) + (offset)))
#define TSC_HZ FIELD(u64, GLOBAL, 0)
#define CORES FIELD(u32, GLOBAL, 8)
#define PID FIELD(u16, INFO, 0)
#define PENDING FIELD(u8, DATA, 0)
#define POSTED FIELD(u32, DATA, 0x40)
#define TAKEN FIELD(u32, DATA, 0x80)
#define MAILBOX (DATA + 0x100)
#define EVENTS 32
#define EVENT_BYTES 16
#define CALL_DONE 10

/* program::queue */
struct queue {
	u16 flags;
	u16 zero;
	volatile u16 vcore, last;
	u64 mailbox;
	volatile u8 alerted;
	u8 rest[47];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct queue) == 64, "program::queue::BYTES");

struct event {
	u16 kind;
	u8 zero[6];
	u64 value;
};

/* program::mailbox, a ring of so many events */
#define RING 1
#define LENGTH 2
#define OF_PROGRAMS 64

struct ring {
	u32 kind, length;
	volatile u8 check;
	volatile u32 posted __attribute__((aligned(64)));
	volatile u32 taken __attribute__((aligned(64)));
	volatile u8 overflow[64] __attribute__((aligned(64)));
	volatile struct event events[LENGTH] __attribute__((aligned(64)));
} __attribute__((aligned(64)));

_Static_assert(__builtin_offsetof(struct ring, posted) == 0x40, "program::mailbox::POSTED");
_Static_assert(__builtin_offsetof(struct ring, taken) == 0x80, "program::mailbox::TAKEN");
_Static_assert(__builtin_offsetof(struct ring, overflow) == 0xc0, "program::mailbox::OVERFLOW");
_Static_assert(__builtin_offsetof(struct ring, events) == 0x100, "program::mailbox::SLOTS");

static long enter(struct call *call)
{
	long outcome;

	__asm__ volatile("syscall" : "=a"(outcome) : "D"(call) : "rcx", "r11", "memory");
	return outcome;
}

/* Takes the events that have come out of the mailbox; was the end of this call among them? */
static int told(struct call *call)
{
	int found = 0;

	while (TAKEN != POSTED) {
		u64 event = MAILBOX + TAKEN % EVENTS * EVENT_BYTES;

		if (FIELD(u16, event, 0) == CALL_DONE && FIELD(u64, event, 8) == (u64)call)
			found = 1;
		TAKEN = TAKEN + 1;
	}
	return found;
}

/* Makes a call, and waits for its end as the documentation says. */
static long perform(struct call *call)
{
	static struct call yield = { .number = YIELD };
	long outcome;

	call->done = 0;
	call->options = WANTS_EVENT;
	outcome = enter(call);
	if (outcome != STARTED)
		return outcome;
	for (;;) {
		PENDING = 0;
		__asm__ volatile("mfence" : : : "memory");
		if (told(call) || call->done)
			return call->outcome;
		enter(&yield);
	}
}

static long perform5(u32 number, u64 a, u64 b, u64 c, u64 d, u64 e)
{
	static struct call call;

	call.number = number;
	call.argument[0] = a;
	call.argument[1] = b;
	call.argument[2] = c;
	call.argument[3] = d;
	call.argument[4] = e;
	return perform(&call);
}

static u64 length(const char *text)
{
	u64 bytes = 0;

	while (text[bytes])
		bytes++;
	return bytes;
}

/* A line is gathered here, so that it is written by one call. */
static char line[256];
static u64 used;

static void text(const char *text)
{
	while (*text && used < sizeof line)
		line[used++] = *text++;
}

static void number(u64 value)
{
	static char digits[21];
	u64 at = sizeof digits - 1;

	do {
		digits[--at] = '0' + value % 10;
		value /= 10;
	} while (value);
	text(digits + at);
}

static void end_line(void)
{
	text("\n");
	perform5(WRITE, CONSOLE, (u64)line, used, 0, 0);
	used = 0;
}

/* One event more than there is room for is refused; the others come out in their order. */
static void send_and_take(void)
{
	static struct ring ring = { .kind = RING, .length = LENGTH };
	static struct queue queue;
	u64 sent = 0;

	queue.mailbox = (u64)&ring;
	while (sent <= LENGTH && perform5(SEND, (u64)&queue, OF_PROGRAMS, 70 + sent, 0, 0) == 0)
		sent++;
	text("C: the queue took ");
	number(sent);
	text(" events, with");
	while (ring.taken != ring.posted) {
		text(" ");
		number(ring.events[ring.taken % LENGTH].value);
		ring.taken = ring.taken + 1;
	}
	end_line();
}

static int run(u64 count, char **arguments)
{
	static const char name[] = "args", words[] = "args\0from C";
	u64 hz = TSC_HZ, before, after;
	long child;

	for (u64 at = 0; at < count; at++) {
		text("C: argument ");
		number(at);
		text(" is ");
		text(arguments[at]);
		end_line();
	}
	text("C: process ");
	number(PID);
	text(" on a machine with ");
	number(CORES);
	text(" cores");
	end_line();

	before = __builtin_ia32_rdtsc();
	perform5(SLEEP, hz / 100, 0, 0, 0, 0);
	after = __builtin_ia32_rdtsc();
	text("C: slept at least 10 ms: ");
	text(after - before >= hz / 100 ? "yes" : "no");
	end_line();

	send_and_take();

	child = perform5(CREATE, (u64)name, length(name), (u64)words, sizeof words, ALL_HANDLES);
	if (child < 0)
		return 1;
	perform5(RUN, child, 0, 0, 0, 0);
	text("C: the child was reaped: ");
	text(perform5(WAIT, child, 0, 0, 0, 0) == child ? "yes" : "no");
	end_line();
	return 42;
}

/* The stack pointer is at the number of arguments, behind which are the pointers to them. */
__attribute__((used)) static void begin(u64 *stack)
{
	perform5(EXIT, run(stack[0], (char **)(stack + 1)), 0, 0, 0, 0);
}

__asm__(".globl _start\n"
	"_start:\n"
	"\txor %ebp, %ebp\n"
	"\tmov %rsp, %rdi\n"
	"\tcall begin\n"
	"\tud2\n");
