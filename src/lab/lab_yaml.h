/*
 * lab_yaml.h - a YAML document with line numbers: typed access that collects every fault.
 *
 * A mapping with known keys is read through a table of fields into a struct; one with free keys
 * (node names, sysctls) through ly_pairs(). Whatever is wrong is written down with its line and
 * reading goes on, so that a file's author sees all faults at once. Strings come from the lab's
 * arena.
 */
#ifndef WARREN_LAB_LAB_YAML_H
#define WARREN_LAB_LAB_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <yaml.h>

struct lab;
struct ly_fault;

/* Beyond these a file is refused: a lab is written by people or by a small program. */
enum { LY_MAX_BYTES = 8 << 20, LY_MAX_DEPTH = 32, LY_MAX_FAULTS = 100 };

struct ly {
	const char *file; /* as messages name it */
	struct lab *lab;  /* what is being filled */
	yaml_document_t doc;
	bool have_doc;
	struct ly_fault *fault;
	size_t nfaults;
};

/* Load text; false when it is no YAML document (a fault says where). */
bool ly_load(struct ly *y, struct lab *lab, const char *file, const char *text, size_t len);
void ly_free(struct ly *y);

/* Write down what is wrong at a node of the document (0 = at line `line`). */
void ly_fault(struct ly *y, int id, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void ly_fault_line(struct ly *y, unsigned line, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/*
 * All faults, "FILE:LINE: text" each on its line, in order of lines; NULL if there are none.
 * malloc'd.
 */
char *ly_faults(const struct ly *y);

int ly_root(const struct ly *y);
unsigned ly_line(const struct ly *y, int id);
enum ly_shape { LY_SCALAR, LY_LIST, LY_MAP };
enum ly_shape ly_shape(const struct ly *y, int id);

/* Elements of a list. */
size_t ly_len(const struct ly *y, int id);
int ly_item(const struct ly *y, int id, size_t i);

/*
 * Pairs of a mapping in order, with `<<` merged in and duplicates told. The array is malloc'd;
 * NULL with *n = 0 when the mapping is empty or the node is none (then it is a fault about `what`).
 */
struct ly_pair {
	const char *key;
	int key_id, value;
};
struct ly_pair *ly_pairs(struct ly *y, int id, const char *what, size_t *n);

enum ly_type {
	LY_STRING,   /* const char * */
	LY_DURATION, /* uint64_t, ns */
	LY_RATE,     /* uint64_t, bit/s */
	LY_SIZE,     /* uint64_t, bytes */
	LY_COUNT,    /* uint64_t */
	LY_U32,      /* uint32_t, a count */
	LY_BOOL,     /* bool */
	LY_PERCENT,  /* double, 0..1 */
	LY_CUSTOM    /* fn reads it; offset is not used */
};

struct ly_field {
	const char *key;
	enum ly_type type;
	size_t offset;
	uint64_t min,
	    max; /* both 0: any; of counts, and of durations and rates in their base unit */
	void (*fn)(struct ly *y, int id, void *obj);
};

/*
 * Read a mapping with known keys into obj. Unknown keys are faults, with the nearest known one.
 * Returns a bit for each field of the table that was there (1 << index); faults leave the member as
 * it was. other (may be NULL) is asked about keys that the table doesn't know: true = it took the
 * key.
 */
uint64_t ly_map(struct ly *y, int id, const char *what, const struct ly_field *f, size_t nf,
    void *obj, bool (*other)(struct ly *y, const struct ly_pair *p, void *obj));

/* One value of a type into *out (whose C type goes with `type`). `what` names it in the fault. */
bool ly_value(struct ly *y, int id, const char *what, enum ly_type type, uint64_t min, uint64_t max,
    void *out);

/* "did you mean" for a word: the nearest of n candidates, or NULL if none is near. */
const char *ly_nearest(const char *word, const char *const *candidates, size_t n);

#endif
