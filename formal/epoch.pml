/*
 * Epochs: a database is put back to what it was before a revoke. Two nodes, one restore, two revokes: that of
 * key 1, which the restored database has forgotten, and that of key 2, which it makes itself. README.md says
 * what is left out.
 *
 * As in lease.pml each `::` is one atomic step that comes at any moment at which its condition holds, or
 * never; only a tick moves the clock, which is one for all here. A poll and its answer are one step, but the
 * answer may arrive late, or not at all.
 *
 * -DMISTAKE=n makes a mistake of README.md; -DDENY=n denies that a case is ever reached, which must fail.
 */

#ifndef MISTAKE
#define MISTAKE 0
#endif
#ifndef DENY
#define DENY 0
#endif
#ifndef TIME
#define TIME 4
#endif
#define NODES 2
#define LEASE 2
#define NEVER 255

/* Places in a history. What the restored database commits after its backup has the number of the lost revoke. */
#define BACKUP 1
#define REVOKED 2		/* of the history that is lost */
#define OTHER 3			/* of the restored one: the same number, another mark */

byte now;

/* ---- the database ---- */
byte epoch = 1;
bool is_restored, is_noticed_at_start, recovering;
byte began_at;			/* the epoch */
bool revoked_1, revoked_2;	/* what it says of the keys */
bool has_moved_on;		/* the restored one has committed something */
bool reported[NODES];
bool lost;			/* a journal told of the revoke */
byte granted_at[NODES];		/* lease rows, as this database knows them */
bool confirmed_1[NODES], confirmed_2[NODES];

/* ---- who has been promised what ---- */
bool promised_1, promised_2;
bool is_known;			/* some node has applied the revoke of key 1 */
byte told_at = NEVER;		/* such a node has polled the restored database */

/* ---- the nodes: which epoch and place they are at, their lease, and what their records say ---- */
typedef Node {
	byte epoch = 1;
	byte at = BACKUP;
	byte fresh_from = NEVER;
	bool no_1, no_2;
	bool journal;		/* it notes the revoke of key 1 */
	/* the last answer that is under way; sent_at is when its poll was sent */
	bool answered;
	byte sent_at, answer_epoch;
	bool says_no_1, says_no_2, gives_lease, from_restored
}
Node node[NODES];

#define RUNS(n) (node[n].fresh_from != NEVER && now - node[n].fresh_from < LEASE)
/* A node of this epoch whose place is not in this history: the mark tells; the number alone would not. */
#define IS_STRANGE(n) (is_restored && node[n].epoch == epoch && node[n].at == REVOKED && \
	!(MISTAKE == 1 && has_moved_on))
#define SETTLED(n, confirmed) (confirmed[n] || granted_at[n] == NEVER || now - granted_at[n] >= LEASE)
#define ALL_REPORTED ((reported[0] && reported[1]) || MISTAKE == 3)
#define LEASES_ENDED (now - began_at >= LEASE || MISTAKE == 4)

inline raise() {
	epoch = epoch + 1;
	recovering = true;
	began_at = now;
	reported[0] = false;
	reported[1] = false
}

inline poll(n) {
	if
	:: IS_STRANGE(n) ->
		told_at = (told_at == NEVER -> now : told_at);
		raise()
	:: else ->
		if
		:: is_restored && node[n].at == REVOKED && told_at == NEVER -> told_at = now
		:: else
		fi;
		if
		:: node[n].epoch == epoch || (MISTAKE == 2 && recovering) ->
			/* recorded: what is acknowledged, and when */
			granted_at[n] = now;
			confirmed_1[n] = confirmed_1[n] || node[n].no_1;
			confirmed_2[n] = confirmed_2[n] || node[n].no_2;
			node[n].answered = true;
			node[n].sent_at = now;
			node[n].answer_epoch = (MISTAKE == 2 -> node[n].epoch : epoch);
			node[n].says_no_1 = revoked_1;
			node[n].says_no_2 = revoked_2;
			node[n].from_restored = is_restored;
			node[n].gives_lease = !recovering || MISTAKE == 2
		:: else
		fi
	fi
}

inline take(n) {
	node[n].answered = false;
	if
	:: node[n].answer_epoch == node[n].epoch ->
		node[n].no_1 = node[n].no_1 || node[n].says_no_1;
		node[n].no_2 = node[n].no_2 || node[n].says_no_2;
		if
		:: node[n].says_no_1 && !node[n].from_restored ->
			node[n].at = REVOKED;
			node[n].journal = true;
			is_known = true
		:: else
		fi;
		if
		:: node[n].gives_lease -> node[n].fresh_from = node[n].sent_at
		:: else
		fi
	:: else		/* of an epoch before: ignored */
	fi
}

inline load(n) {		/* a snapshot of the present epoch takes the place of everything */
	node[n].epoch = epoch;
	node[n].at = (has_moved_on -> OTHER : BACKUP);
	node[n].no_1 = revoked_1;
	node[n].no_2 = revoked_2;
	node[n].fresh_from = NEVER;
	node[n].journal = false;
	node[n].answered = false
}

proctype Follower(byte n) {
	end: do
	:: atomic { now < TIME -> poll(n) }
	:: atomic { node[n].answered -> take(n) }
	:: atomic { node[n].epoch < epoch && !reported[n] && MISTAKE != 6 ->
		/* a follower does one thing at a time: the answer to a poll that it gave up is never taken */
		node[n].answered = false;
		reported[n] = true;
		lost = lost || node[n].journal
	}
	:: atomic { node[n].epoch < epoch && ((reported[n] && !recovering) || MISTAKE == 6) ->
		load(n);
		reported[n] = true
	}
	od
}

active proctype Plane() {
	end: do
	/* before the restore: the revoke of key 1, and its receipt */
	:: atomic { !is_restored && !revoked_1 -> revoked_1 = true }
	:: atomic { !is_restored && revoked_1 && !promised_1 &&
			SETTLED(0, confirmed_1) && SETTLED(1, confirmed_1) -> promised_1 = true }
	:: atomic { !is_restored && revoked_1 ->
		is_restored = true;
		revoked_1 = false;
		granted_at[0] = NEVER;
		granted_at[1] = NEVER;
		confirmed_1[0] = false;
		confirmed_1[1] = false;
		if
		:: is_noticed_at_start = true; raise()
		:: skip
		fi
	}
	:: atomic { is_restored && !has_moved_on && !recovering -> has_moved_on = true }
	/* the recovery */
	:: atomic { recovering && ALL_REPORTED && LEASES_ENDED && lost && !revoked_1 -> revoked_1 = true }
	:: atomic { recovering && ALL_REPORTED && LEASES_ENDED && (!lost || revoked_1 || MISTAKE == 5) ->
		recovering = false }
	/* the revoke of key 2, in an epoch that began with the doubt */
	:: atomic { is_restored && epoch > 1 && !revoked_2 -> revoked_2 = true }
	:: atomic { revoked_2 && !promised_2 && (!recovering || MISTAKE == 7) &&
			SETTLED(0, confirmed_2) && SETTLED(1, confirmed_2) -> promised_2 = true }
	od
}

active proctype Clock() {
	end: do
	:: atomic { now < TIME -> now++ }
	od
}

/* Verifications: one step, so each that accepts began after what was promised before it. */
active proctype Verifiers() {
	byte n;
	end: do
	:: atomic { RUNS(0) || RUNS(1) ->
		n = 0;
		do
		:: n == NODES -> break
		:: else ->
			if
			:: RUNS(n) && !node[n].no_1 ->
				/* Known at the start: never. Else from a lease after a node that knows was heard. */
				assert(!(promised_1 && is_known && is_noticed_at_start));
				assert(!(promised_1 && is_known && told_at != NEVER && now - told_at >= LEASE));
#if DENY == 1
				assert(!is_restored)
#endif
			:: RUNS(n) && !node[n].no_2 -> assert(!promised_2)
			:: else
#if DENY == 2
				-> assert(!(RUNS(n) && node[n].epoch > 1 && node[n].no_1 && !is_noticed_at_start))
#endif
#if DENY == 3
				-> assert(!(RUNS(n) && node[n].epoch > 1 && promised_2))
#endif
			fi;
			n++
		od
	}
	od
}

init {
	atomic {
		granted_at[0] = NEVER;
		granted_at[1] = NEVER;
		run Follower(0);
		run Follower(1)
	}
}
