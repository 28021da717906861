/* A team of threads that share out jobs: the leader, who writes the text, and helpers, who wait beside it for jobs.

   A job has parts. Each thread takes those of a range of its own from the front, and then, from the back, those that
   others have not come to. So nobody waits for a helper that comes late, only for a part that it has begun; and which of
   them does a part changes no number. Most jobs take microseconds, far less than to wake a thread: whoever waits keeps
   looking. */

#include <stdint.h>
#if defined __unix__ || defined __APPLE__
#include <sched.h>
#endif

#define MOST_THREADS 8
#define PATIENCE 2000   /* looks in vain, after which another program may want the core */
#define ENOUGH 1000000  /* looks in vain, tens of milliseconds, after which a helper goes: nobody depends on it */
#define NO_JOB UINT64_MAX

typedef void part_of_job(const void *job, int64_t part, int64_t thread);

struct team {
    int64_t threads;
    part_of_job *work;
    const void *job;
    uint64_t number;      /* of the job, in 32 bits */
    int64_t helped;       /* parts that helpers did of all jobs */
    char apart[120];      /* here and below: what some look at lies in another line of the cache than what others write */
    int64_t round;        /* helpers of an earlier one go */
    char apart_too[120];
    int64_t done;         /* parts that helpers have done of this job */
    char apart_again[120];
    struct {
        uint64_t left; /* number of the job, first part, end: 32, 16 and 16 bits, as one so that nobody sees a half of it */
        char apart[120];
    } ranges[MOST_THREADS];
};

int64_t team_bytes(void) { return sizeof(struct team); }

int64_t team_helped(const struct team *t) { return t->helped; }

static inline uint64_t range(uint64_t number, int64_t first, int64_t end) { return number << 32 | first << 16 | end; }

/* Looking on for the `looks`th time in vain. */
static inline void keep_looking(int64_t looks)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield");
#endif
#if defined __unix__ || defined __APPLE__
    if (looks % PATIENCE == PATIENCE - 1)
        sched_yield();
#endif
}

/* A part that `thread` takes from the range of `owner`, -1 if there is none left. */
static int64_t take(struct team *t, int64_t owner, int64_t thread)
{
    uint64_t *left = &t->ranges[owner].left, seen = __atomic_load_n(left, __ATOMIC_ACQUIRE), rest;
    int64_t first, end;
    do {
        first = seen >> 16 & 0xffff, end = seen & 0xffff;
        if (first >= end)
            return -1;
        rest = owner == thread ? range(seen >> 32, first + 1, end) : range(seen >> 32, first, end - 1);
    } while (!__atomic_compare_exchange_n(left, &seen, rest, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE));
    return owner == thread ? first : end - 1;
}

/* How many parts `thread` has done, when there are none left. */
static int64_t work_along(struct team *t, int64_t thread)
{
    int64_t done = 0, part;
    const int64_t threads = __atomic_load_n(&t->threads, __ATOMIC_RELAXED);
    for (int64_t k = 0; k < threads; k++) {
        int64_t owner = (thread + k) % threads;
        for (; (part = take(t, owner, thread)) >= 0; done++)
            t->work(t->job, part, thread);
    }
    return done;
}

/* The leader shares out a job of less than 65,536 parts, and returns when all are done; without a team it does them all. */
static void share_out(struct team *t, part_of_job *work, const void *job, int64_t parts)
{
    if (!t) {
        for (int64_t part = 0; part < parts; part++)
            work(job, part, 0);
        return;
    }
    t->work = work, t->job = job, t->number = (t->number + 1) & UINT32_MAX;
    __atomic_store_n(&t->done, 0, __ATOMIC_RELAXED);
    for (int64_t thread = t->threads - 1; thread >= 0; thread--)
        __atomic_store_n(&t->ranges[thread].left,
                         range(t->number, parts * thread / t->threads, parts * (thread + 1) / t->threads),
                         __ATOMIC_RELEASE);
    parts -= work_along(t, 0);
    t->helped += parts;
    for (int64_t looks = 0; __atomic_load_n(&t->done, __ATOMIC_ACQUIRE) < parts; looks++)
        keep_looking(looks);
}

/* What a helper does, thread 1 and up, until its round is over or there has been no job for long. */
void team_help(struct team *t, int64_t round, int64_t thread)
{
    const uint64_t *mine = &t->ranges[thread].left;
    uint64_t last = NO_JOB;
    for (int64_t looks = 0; looks < ENOUGH && __atomic_load_n(&t->round, __ATOMIC_ACQUIRE) == round; looks++) {
        uint64_t number = __atomic_load_n(mine, __ATOMIC_ACQUIRE) >> 32;
        if (number == last) {
            keep_looking(looks);
            continue;
        }
        int64_t done = work_along(t, thread);
        if (done)
            __atomic_fetch_add(&t->done, done, __ATOMIC_RELEASE);
        last = number, looks = 0;
    }
}

/* From now on there are so many threads, and a new round, whose number is returned; helpers may come. */
int64_t team_begin(struct team *t, int64_t threads)
{
    __atomic_store_n(&t->threads, threads, __ATOMIC_RELAXED);
    return __atomic_add_fetch(&t->round, 1, __ATOMIC_RELEASE);
}

void team_end(struct team *t) { __atomic_add_fetch(&t->round, 1, __ATOMIC_RELEASE); }
