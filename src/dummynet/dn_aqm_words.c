/*
 * dn_aqm_words.c - CoDel's and PIE's words, read and said: they stand behind `codel` and `pie` of a
 * pipe or queue, and behind the schedulers that have such queues inside (sched_fq.c).
 */
#include "dummynet/dn_aqm.h"

#include "base/clock.h"
#include "dummynet/dn_words.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum value { VALUE_TIME, VALUE_FRACTION, VALUE_ON, VALUE_OFF };

static const struct word {
	const char *name;
	enum value value;
	size_t codel, pie; /* where it lies in struct dn_aqm_config; 0: not a word of that policy */
} words[] = {
#define AT(member) offsetof(struct dn_aqm_config, member)
	{ "target", VALUE_TIME, AT(codel.target_ns), AT(pie.target_ns) },
	{ "interval", VALUE_TIME, AT(codel.interval_ns), 0 },
	{ "tupdate", VALUE_TIME, 0, AT(pie.tupdate_ns) },
	{ "max_burst", VALUE_TIME, 0, AT(pie.max_burst_ns) },
	{ "alpha", VALUE_FRACTION, 0, AT(pie.alpha) },
	{ "beta", VALUE_FRACTION, 0, AT(pie.beta) },
	{ "max_ecnth", VALUE_FRACTION, 0, AT(pie.max_ecn_prob) },
	{ "capdrop", VALUE_ON, 0, AT(pie.cap_drop) },
	{ "nocapdrop", VALUE_OFF, 0, AT(pie.cap_drop) },
	{ "derand", VALUE_ON, 0, AT(pie.derandomise) },
	{ "noderand", VALUE_OFF, 0, AT(pie.derandomise) },
	{ "ecn", VALUE_ON, AT(ecn), AT(ecn) },
	{ "noecn", VALUE_OFF, AT(ecn), AT(ecn) },
#undef AT
};

/* place lies in a copy of the configuration: what is refused changes nothing. */
static int
read_value(void *place, enum value value, int argc, char **argv, const char **why)
{
	switch (value) {
	case VALUE_ON:
	case VALUE_OFF:
		*(bool *)place = value == VALUE_ON;
		return 1;
	case VALUE_TIME:
		/* FreeBSD takes 0 for the least, 1 us; its own tests say so */
		if (argc >= 2 && dn_parse_time(argv[1], place)) {
			if (*(uint64_t *)place == 0)
				*(uint64_t *)place = NS_PER_US;
			return 2;
		}
		*why = "a time must follow (as 5ms)";
		return -1;
	case VALUE_FRACTION:
		if (argc >= 2 && dn_parse_fraction(argv[1], place))
			return 2;
		*why = "a number must follow (as 0.125)";
		return -1;
	}
	return 0;
}

/*
 * Words of FreeBSD's PIE for what this one does not choose: delay by time stamps, as RFC 8033 5.2
 * allows, is what it does anyway. 1 taken, 0 not one of them, -1 it can't be had otherwise.
 */
static int
fixed_word(const char *word, const char **why)
{
	if (strcasecmp(word, "ts") == 0)
		return 1;
	if (strcasecmp(word, "dre") != 0 && strcasecmp(word, "onoff") != 0)
		return 0;
	*why = "this PIE measures delay by time stamps (ts), and always works";
	return -1;
}

int
dn_aqm_word(struct dn_aqm_config *c, int argc, char **argv, const char **why)
{
	struct dn_aqm_config changed = *c;
	const int fixed = c->kind == DN_AQM_PIE ? fixed_word(argv[0], why) : 0;

	if (fixed != 0)
		return fixed;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const struct word *w = &words[i];
		const size_t at = c->kind == DN_AQM_CODEL ? w->codel :
		    c->kind == DN_AQM_PIE                 ? w->pie :
							    0;
		int taken;

		if (at == 0 || strcasecmp(argv[0], w->name) != 0)
			continue;
		taken = read_value((uint8_t *)&changed + at, w->value, argc, argv, why);
		if (taken > 0 && (*why = dn_aqm_check(&changed)) != NULL)
			return -1;
		if (taken > 0)
			*c = changed;
		return taken;
	}
	return 0;
}

const char *
dn_time_text(uint64_t ns, char text[DN_TIME_TEXT])
{
	static const struct {
		uint64_t ns;
		const char *name;
	} units[] = { { NS_PER_SEC, "s" }, { NS_PER_MS, "ms" }, { NS_PER_US, "us" }, { 1, "ns" } };
	size_t i = 0;

	while (ns % units[i].ns != 0)
		i++;
	if (ns == 0)
		i = 1;
	snprintf(text, DN_TIME_TEXT, "%" PRIu64 "%s", ns / units[i].ns, units[i].name);
	return text;
}

void
dn_aqm_text(const struct dn_aqm_config *c, char *text, size_t len)
{
	char a[DN_TIME_TEXT], b[DN_TIME_TEXT], d[DN_TIME_TEXT];
	const char *ecn = c->ecn ? "ecn" : "noecn";

	text[0] = '\0';
	if (c->kind == DN_AQM_CODEL)
		snprintf(text, len, "target %s interval %s %s", dn_time_text(c->codel.target_ns, a),
		    dn_time_text(c->codel.interval_ns, b), ecn);
	else if (c->kind == DN_AQM_PIE)
		snprintf(text, len,
		    "target %s tupdate %s alpha %.9g beta %.9g max_burst %s max_ecnth %.9g %s %s %s",
		    dn_time_text(c->pie.target_ns, a), dn_time_text(c->pie.tupdate_ns, b),
		    c->pie.alpha, c->pie.beta, dn_time_text(c->pie.max_burst_ns, d),
		    c->pie.max_ecn_prob, ecn, c->pie.cap_drop ? "capdrop" : "nocapdrop",
		    c->pie.derandomise ? "derand" : "noderand");
}
