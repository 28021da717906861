/* Prediction by counts that grow while a text is read, mixed with a model's probabilities.

   generation/adaptive/predictor.py is the reference: this file computes the same, except for the order of additions. All arrays
   belong to NumPy. V tokens are V - 1 binary decisions, the nodes of a tree; K contexts; I = K + 3 inputs of a mixer. */

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "adaptive.h"

#define MOST_CONTEXTS 16
#define MOST_LEVELS 64 /* of a Huffman tree of 2^44 tokens at most */
#define MULTIPLIER 0x9E3779B97F4A7C15u
#define STEPS 1.5f

struct position { /* what is known before a token */
    const uint64_t *hashes; /* (K,) */
    const double *held;     /* sum of the model's probabilities of the tokens before each place; null without a model */
    int64_t match, length;  /* where the predicted token is, and the tokens before it that match; 0 is none */
    int64_t predicted;      /* its place */
    int64_t previous;       /* the last token + 1 */
};

struct decision { /* what is known before a bit */
    struct estimate *maps[MOST_CONTEXTS]; /* of the counts; null: nothing was counted */
    float inputs[MOST_CONTEXTS + 3];
    float *weights[MIXERS], stretched[MIXERS], mixed[MIXERS];
    float *bins[2], fraction, final, p;
    int matched; /* the bit that the match predicts; -1 is none */
    int bit;     /* the one that came */
    int64_t node;
};

static float squash(float x) { return 1 / (1 + expf(-x)); }

static float clipped(float x, float least, float most) { return x < least ? least : x > most ? most : x; }

static float stretch(float p)
{
    p = clipped(p, 1e-6f, 1 - 1e-6f);
    return logf(p / (1 - p));
}

static uint64_t mixed(uint64_t hash, uint64_t value)
{
    hash = (hash + 1 + value) * MULTIPLIER;
    return hash ^ hash >> 29;
}

static struct slot *line_of(const struct predictor *p, const struct position *at, int64_t k, int64_t node)
{
    uint64_t hash = mixed(at->hashes[k], p->groups[node]);
    return p->slots + ((k << p->line_bits) + (hash >> (64 - p->line_bits))) * LINE;
}

static uint16_t check_of(const struct position *at, int64_t k, int64_t node)
{
    return mixed(at->hashes[k], node) | 1;
}

static struct slot *find(struct slot *line, uint16_t check)
{
    for (int i = 0; i < PROBES; i++) {
        struct slot *slot = line + ((check >> 1) + i) % LINE;
        if (slot->check == check)
            return slot;
    }
    return NULL;
}

/* Return a slot for a new context: the one that was counted least. */
static struct slot *claim(struct slot *line, uint16_t check)
{
    struct slot *least = line + (check >> 1) % LINE;
    for (int i = 1; i < PROBES; i++) {
        struct slot *slot = line + ((check >> 1) + i) % LINE;
        if (slot->counts[0] + slot->counts[1] < least->counts[0] + least->counts[1])
            least = slot;
    }
    *least = (struct slot){check, {0, 0}};
    return least;
}

/* Begin to load what the counts of a token need, which takes as long as the work on a token. */
static void prefetch(const struct predictor *p, const struct position *at, int32_t place)
{
    for (int64_t node = p->vocab_size > 1 ? 0 : -1; node >= 0; node = p->children[2 * node + (place >= p->middle[node])])
        for (int64_t k = 0; p->groups[node] == node && k < p->contexts; k++)
            __builtin_prefetch(line_of(p, at, k, node));
}

/* Look up what was counted at a node. */
static void look_up(const struct predictor *p, const struct position *at, int64_t node, struct decision *d)
{
    for (int64_t k = 0; k < p->contexts; k++) {
        const struct slot *slot = find(line_of(p, at, k, node), check_of(at, k, node));
        d->maps[k] = NULL;
        d->inputs[k] = 0;
        if (slot) {
            d->maps[k] = p->count_maps + (k * LEVELS + p->levels[slot->counts[0]]) * LEVELS + p->levels[slot->counts[1]];
            d->inputs[k] = stretch(d->maps[k]->p);
        }
    }
    d->matched = -1;
    if (at->length && at->predicted >= p->low[node] && at->predicted < p->high[node])
        d->matched = at->predicted >= p->middle[node];
}

static float interpolated(const float *bins, float fraction) { return bins[0] * (1 - fraction) + bins[1] * fraction; }

/* Predict a bit: mix the inputs with three sets of weights, mix the results, refine the probability. */
static void predict(const struct predictor *p, const struct position *at, int64_t node, struct decision *d)
{
    int64_t K = p->contexts, I = K + 3, low = p->low[node], middle = p->middle[node], high = p->high[node];
    d->inputs[K] = d->inputs[K + 1] = 0;
    d->inputs[K + 2] = p->bias;
    if (at->held) {
        double left = at->held[middle] - at->held[low], right = at->held[high] - at->held[middle];
        d->inputs[K] = stretch((float)((right + 1e-9) / (left + right + 2e-9)));
    }
    if (d->matched >= 0)
        d->inputs[K + 1] = (d->matched ? 1 : -1) * stretch(p->match_maps[at->length].p);
    const int64_t chosen[] = {node, d->matched < 0 ? 0 : at->length, at->previous};
    d->final = 0;
    for (int m = 0; m < MIXERS; m++) {
        float sum = 0;
        d->weights[m] = p->mixers[m] + chosen[m] * I;
        for (int64_t i = 0; i < I; i++)
            sum += d->weights[m][i] * d->inputs[i];
        d->stretched[m] = clipped(sum, -15, 15);
        d->mixed[m] = squash(d->stretched[m]);
        d->final += p->final[node * MIXERS + m] * d->stretched[m];
    }
    float x = (clipped(d->final, -7.99f, 7.99f) + 8) * 2;
    d->fraction = x - (int)x;
    float refined = 0;
    for (int r = 0; r < 2; r++) {
        uint64_t cell = mixed(at->hashes[r], node) >> (64 - p->refine_bits);
        d->bins[r] = p->refinements + (((uint64_t)r << p->refine_bits) + cell) * BINS + (int)x;
        refined += p->refine_weight * interpolated(d->bins[r], d->fraction);
    }
    d->p = clipped(squash(d->final) * (1 - 2 * p->refine_weight) + refined, 1e-5f, 1 - 1e-5f);
}

static void observe(struct estimate *estimate, int bit, float limit)
{
    estimate->p += (bit - estimate->p) / (estimate->count + STEPS);
    if (estimate->count < limit)
        estimate->count++;
}

/* Count the bit that came, and learn how good the counts are. */
static void count(struct predictor *p, const struct position *at, const struct decision *d)
{
    int bit = d->bit;
    for (int64_t k = 0; k < p->contexts; k++) {
        struct slot *line = line_of(p, at, k, d->node), *slot = find(line, check_of(at, k, d->node));
        if (d->maps[k])
            observe(d->maps[k], bit, p->count_limit);
        if (!slot)
            slot = claim(line, check_of(at, k, d->node));
        if (slot->counts[bit] < MOST_COUNTED)
            slot->counts[bit]++;
        if (slot->counts[!bit] > 2)
            slot->counts[!bit] = slot->counts[!bit] / 2 + 1;
    }
    if (d->matched >= 0)
        observe(p->match_maps + at->length, d->matched == bit, p->count_limit);
}

/* Learn the weights of the mixers, and the refinement, from the bit that came. */
static void learn(struct predictor *p, const struct decision *d)
{
    int bit = d->bit;
    float error = (bit - squash(d->final)) * p->final_rate;
    for (int m = 0; m < MIXERS; m++) {
        float step = (bit - d->mixed[m]) * p->rate;
        for (int64_t i = 0; i < p->contexts + 3; i++)
            d->weights[m][i] += step * d->inputs[i];
        p->final[d->node * MIXERS + m] += error * d->stretched[m];
    }
    for (int r = 0; r < 2; r++) {
        d->bins[r][0] += (bit - d->bins[r][0]) * p->refine_rate * (1 - d->fraction);
        d->bins[r][1] += (bit - d->bins[r][1]) * p->refine_rate * d->fraction;
    }
}

static int32_t *head_of(const struct predictor *p, const int32_t *end)
{
    uint64_t hash = 0;
    for (int i = 1; i <= MATCH_HASHED; i++)
        hash = mixed(hash, end[-i]);
    return p->heads + (hash >> (64 - p->match_bits));
}

/* Find where the last tokens of a text of n, which ends before `end`, were seen last. */
static void find_match(const struct predictor *p, const int32_t *end, int64_t n, struct position *at)
{
    at->length = 0;
    if (n < MATCH_HASHED || (at->match = *head_of(p, end)) < 0)
        return;
    int64_t most = n < at->match ? n : at->match, length = 0;
    while (length < most && length < MATCH_LONGEST && end[-1 - length] == p->tokens[at->match - 1 - length])
        length++;
    if (length >= MATCH_HASHED) {
        at->length = length;
        at->predicted = p->place[p->tokens[at->match]];
    }
}

static void sum_probs(const struct predictor *p, const float *logprobs, double *held)
{
    held[0] = 0;
    for (int64_t i = 0; i < p->vocab_size; i++)
        held[i + 1] = held[i] + expf(logprobs[p->order[i]]);
}

/* Prepare for the token after a text of n tokens, which ends before `end`. */
static struct position position_at(const struct predictor *p, const int32_t *end, int64_t n, const uint64_t *hashes,
                                   const float *logprobs)
{
    struct position at = {.hashes = hashes, .previous = n ? end[-1] + 1 : 0};
    find_match(p, end, n, &at);
    if (logprobs) {
        sum_probs(p, logprobs, p->held);
        at.held = p->held;
    }
    return at;
}

/* Predict a token, return its log-probability, then learn from it. */
static float read_token(struct predictor *p, const struct position *at, int32_t place)
{
    struct decision decisions[MOST_LEVELS], *d = decisions;
    float score = 0;
    for (int64_t node = p->vocab_size > 1 ? 0 : -1; node >= 0; d++) {
        d->node = node;
        d->bit = place >= p->middle[node];
        look_up(p, at, node, d);
        predict(p, at, node, d);
        score += logf(d->bit ? d->p : 1 - d->p);
        node = p->children[2 * node + d->bit];
    }
    for (const struct decision *end = d, *done = decisions; done < end; done++) {
        learn(p, done);
        count(p, at, done);
    }
    return score;
}

/* Predict the tokens begin to end of the text, then learn from each; scores (end - begin,) are log-probabilities.
   `hashes` (end - begin, K); logprobs (end - begin, V) of the model, or null. */
void adaptive_read(struct predictor *p, int64_t begin, int64_t end, const uint64_t *hashes, const float *logprobs,
                   float *scores)
{
    for (int64_t t = begin; t < end; t++) {
        struct position at = position_at(p, p->tokens + t, t, hashes + (t - begin) * p->contexts,
                                         logprobs ? logprobs + (t - begin) * p->vocab_size : NULL);
        if (t + 1 < end)
            prefetch(p, &(struct position){.hashes = at.hashes + p->contexts}, p->place[p->tokens[t + 1]]);
        scores[t - begin] = read_token(p, &at, p->place[p->tokens[t]]);
        if (t >= MATCH_HASHED)
            *head_of(p, p->tokens + t) = (int32_t)t;
    }
}

/* Compute the log-probabilities (V,) of the token after a text, of which `recent` (n,) is the end; nothing is learned. */
void adaptive_predict(const struct predictor *p, const int32_t *recent, int64_t n, const uint64_t *hashes,
                      const float *logprobs, float *predicted)
{
    struct position at = position_at(p, recent + n, n, hashes, logprobs);
    memset(predicted, 0, p->vocab_size * sizeof *predicted);
    for (int64_t node = 0; node < p->vocab_size - 1; node++) {
        struct decision d;
        look_up(p, &at, node, &d);
        predict(p, &at, node, &d);
        for (int32_t i = p->low[node]; i < p->high[node]; i++)
            predicted[p->order[i]] += logf(i < p->middle[node] ? 1 - d.p : d.p);
    }
}
