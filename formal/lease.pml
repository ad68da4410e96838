/*
 * Leases and receipts: one control plane, NODES nodes, one revoke. README.md maps the lines to the steps of
 * the protocol and to the code that does them, and says what is left out.
 *
 * Each `::` of a process below is one atomic step, taken at any moment at which its condition holds, or
 * never. So everything may be late or lost without a word about it here: a message that is not delivered,
 * a process that is stopped, a database that does not answer. Only a tick moves the clocks.
 *
 * -DMISTAKE=n makes a mistake of README.md; -DDENY=n denies that a case is ever reached, which must fail.
 */

#ifndef MISTAKE
#define MISTAKE 0
#endif
#ifndef DENY
#define DENY 0
#endif
#ifndef NODES
#define NODES 1		/* 1 or 2 */
#endif
#ifndef TIME
#define TIME 5		/* the last tick of the control plane's clock */
#endif
#ifndef POLLS
#define POLLS 1		/* so many of a follower's last polls may still be under way */
#endif
#ifndef ANSWERS
#define ANSWERS 1	/* so many of the last answers to a node, likewise; 1 or 2 */
#endif
#ifndef CRASHES
#define CRASHES 1	/* of a node's host */
#endif
#ifndef POWER_CUTS
#define POWER_CUTS 0	/* of the control plane's database */
#endif
#ifndef ERASE
#define ERASE 1		/* 0: all states, also those that differ in what nothing can use any more */
#endif
#define STARTS 3	/* incarnations of a node's follower, the first included */

#define LEASE 2		/* L, in ticks */
#define LOSS 1		/* what a node's clock may lose in one lease: epsilon * L */
#define BOUND (LEASE + LOSS)
#define WAITED (MISTAKE == 1 -> LEASE : BOUND)

#define NEVER 255

/* Revisions: 0 is an empty replica, the first change issues a key, the second revokes it. */
#define ISSUED 1
#define REVOKED 2

/* ---- the control plane: its database, shared by all its processes ---- */

byte plane_clock;		/* boot-time clock of the control plane */
byte head = ISSUED;		/* the newest revision of the change log */

typedef Row {			/* of the lease table, one per node and incarnation */
	byte granted_at = NEVER;
	bool confirmed;		/* what it has applied, as far as it matters: the revoke or not */
	byte first_read = NEVER	/* not in the table: granted_at as the barrier read it */
}
Row row[NODES * STARTS];

#define NOTHING 0		/* no revoke yet */
#define COMMITTED 1		/* the revoke is in the log, the lease rows are not read */
#define PENDING 2		/* they are read, and the receipt waits for them */
#define COMPLETE 3		/* the receipt is returned */
byte receipt = NOTHING;
byte rows_read_at = NEVER;
byte no_receipt_before;
byte power_cuts;

/* ---- the network: what was sent may be delivered any number of times, until it is pushed out ---- */

#define NONE 0
#define SENT 1
#define RECORDED 2		/* the control plane has committed the row, and holds the poll */
typedef Poll {
	byte state;
	byte incarnation;
	byte applied;
	byte sent_at = NEVER;	/* stands for the connection: an answer comes on that of its poll */
	byte head		/* mistake 2: read too early */
}
Poll poll[NODES * POLLS];

typedef Answer {
	byte incarnation;
	byte reached;		/* the last change in it; `lease` is true if that is the head */
	byte head;
	byte sent_at = NEVER
}
Answer answer[NODES * ANSWERS];

/* ---- the nodes ---- */

typedef Node {
	byte clock;		/* boot-time clock of the host */
	byte ticks_since_loss = LEASE;
	byte boot;
	byte applied = ISSUED;	/* the replica: with the lease in one transaction */
	byte fresh_from = NEVER;
	byte incarnation;	/* the follower */
	byte polled_at = NEVER;	/* when the poll was sent whose answer is waited for */
	bool verifies;		/* a verification that has taken its snapshot */
	bool began_after_receipt;
	byte lease_from;
	byte unapplied;		/* mistakes 41, 7: an answer that is taken, not yet applied */
	bool flag;		/* mistake 6: the lease as a flag, cleared by a timer */
	bool remembered		/* mistake 12: the verifier knows the key */
}
Node node[NODES];
/* Whether the incarnation goes on with the replica of the one before, in the same boot. */
bool retires[NODES * STARTS];

/* Mistake 131: two followers that run at once share a row. */
#define ROW(n, incarnation) ((MISTAKE == 131 -> 0 : (n) * STARTS) + (incarnation))
#define POLL(n, k) poll[(n) * POLLS + k]
#define ANSWER(n, k) answer[(n) * ANSWERS + k]

#define ENDED(r) (plane_clock >= row[r].first_read + WAITED)
#define SETTLED(r) (row[r].first_read == NEVER || row[r].confirmed || ENDED(r))
#define NODE_SETTLED(n) (SETTLED((n) * STARTS) && SETTLED((n) * STARTS + 1) && SETTLED((n) * STARTS + 2))
#if NODES == 1
#define ALL_SETTLED NODE_SETTLED(0)
#else
#define ALL_SETTLED (NODE_SETTLED(0) && NODE_SETTLED(1))
#endif

/* ---- fewer states: what nothing can use any more is erased ---- */

/* Later polls are sent later, so no other answer is ever awaited. A mistake that uses one keeps it. */
#define MAY_BE_AWAITED(n, m) (m.incarnation == node[n].incarnation && \
	(m.sent_at == node[n].polled_at || m.sent_at == node[n].clock))
#define ERASE_ANSWERS (ERASE && MISTAKE != 3 && MISTAKE != 16)
#define ERASE_LEASE (ERASE && MISTAKE != 6 && MISTAKE != 81 && MISTAKE != 82)

inline erase(n)
{
	if
	:: ERASE_LEASE && node[n].fresh_from != NEVER && node[n].clock >= node[n].fresh_from + LEASE ->
		node[n].fresh_from = NEVER
	:: else
	fi;
	i = 0;
	do
	:: ERASE_ANSWERS && i < ANSWERS ->
		if
		:: !MAY_BE_AWAITED(n, ANSWER(n, i)) ->
			ANSWER(n, i).incarnation = 0;
			ANSWER(n, i).reached = 0;
			ANSWER(n, i).head = 0;
			ANSWER(n, i).sent_at = NEVER
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0;
	do
	:: ERASE_ANSWERS && i < POLLS ->
		if
		:: !MAY_BE_AWAITED(n, POLL(n, i)) -> POLL(n, i).sent_at = NEVER
		:: else
		fi;
		i++
	:: else -> break
	od;
	i = 0
}

/* A moment that is past the bound stays so: the first moment stands for all of them. */
#define ERASE_MOMENT(at) \
	if \
	:: ERASE && at != NEVER && plane_clock >= at + BOUND -> at = 0 \
	:: else \
	fi

inline erase_moments()
{
	ERASE_MOMENT(rows_read_at);
	i = 0;
	do
	:: i < NODES * STARTS -> ERASE_MOMENT(row[i].granted_at); ERASE_MOMENT(row[i].first_read); i++
	:: else -> break
	od;
	i = 0
}

/* When the receipt is complete, it only matters whether a row is there: for SUPERSEDED. */
inline erase_rows()
{
	rows_read_at = NEVER;
	i = 0;
	do
	:: i < NODES * STARTS ->
		row[i].granted_at = (row[i].granted_at == NEVER -> NEVER : 0);
		row[i].confirmed = false;
		row[i].first_read = NEVER;
		i++
	:: else -> break
	od;
	i = 0
}

/* ---- time ---- */

proctype Time()
{
	byte n, i;
end:	do
	:: atomic {
		plane_clock < TIME ->
		plane_clock++;
		n = 0;
		do
		:: n < NODES ->
			if
			:: node[n].clock++;
				if
				:: node[n].ticks_since_loss < LEASE -> node[n].ticks_since_loss++
				:: else
				fi
			:: node[n].ticks_since_loss >= LEASE ->	/* slow, or its machine stood still */
				node[n].ticks_since_loss = 0
			fi;
			printf("%d: node %d's clock shows %d\n", plane_clock, n, node[n].clock);
			erase(n);
			n++
		:: else -> break
		od;
		n = 0;
		/* P2: L(1 + epsilon) after the rows were read there is nothing left to wait for. */
		assert(receipt != PENDING || plane_clock < rows_read_at + BOUND ||
			ALL_SETTLED && plane_clock >= no_receipt_before);
		erase_moments()
	   }
	od
}

/* ---- the control plane: the polls of node n ---- */

/* A newer incarnation of the node has registered: 409. */
#define REGISTERED(n, incarnation) (row[ROW(n, incarnation)].granted_at != NEVER)
#define SUPERSEDED(n, m) (m.incarnation < 1 && REGISTERED(n, 1) || m.incarnation < 2 && REGISTERED(n, 2))

inline record(n, m)			/* step 3: the row is stored and committed */
{
	printf("%d: recorded: node %d, incarnation %d, applied %d\n", plane_clock, n, m.incarnation, m.applied);
	m.state = RECORDED;
	if
	:: MISTAKE == 10
	:: else -> row[ROW(n, m.incarnation)].granted_at = plane_clock
	fi;
	if
	:: MISTAKE == 14 && row[ROW(n, m.incarnation)].first_read != NEVER ->
		row[ROW(n, m.incarnation)].first_read = plane_clock
	:: else
	fi;
	row[ROW(n, m.incarnation)].confirmed = (m.applied == REVOKED);
	/* The acknowledgement also counts for those that it retires, and that those have retired. */
	i = m.incarnation;
	do
	:: i > 0 && retires[n * STARTS + i] ->
		i--;
		row[ROW(n, i)].confirmed = (MISTAKE == 15 || m.applied == REVOKED)
	:: else -> break
	od;
	if					/* node 1 works on a copy of node 0's replica */
	:: MISTAKE == 132 && n == 1 && m.incarnation == 0 -> row[0].confirmed = (m.applied == REVOKED)
	:: else
	fi;
	i = 0;
	if
	:: receipt == COMPLETE -> erase_rows()
	:: else
	fi
}

inline reply(n, m, last, newest)	/* step 4; the answer before may still be under way */
{
	printf("%d: answered: node %d, incarnation %d, changes to %d, head %d\n",
		plane_clock, n, m.incarnation, last, newest);
	i = ANSWERS - 1;
	do
	:: i > 0 ->
		ANSWER(n, i).incarnation = ANSWER(n, i - 1).incarnation;
		ANSWER(n, i).reached = ANSWER(n, i - 1).reached;
		ANSWER(n, i).head = ANSWER(n, i - 1).head;
		ANSWER(n, i).sent_at = ANSWER(n, i - 1).sent_at;
		i--
	:: else -> break
	od;
	ANSWER(n, 0).incarnation = m.incarnation;
	ANSWER(n, 0).reached = last;
	ANSWER(n, 0).head = newest;
	ANSWER(n, 0).sent_at = m.sent_at
}

#define IS_HELD(m) (m.state == RECORDED && m.sent_at != NEVER)

proctype Feed(byte n; byte k)
{
	byte i;
end:	do
#if MISTAKE == 2
	:: d_step { POLL(n, k).state == SENT && POLL(n, k).head == 0 ->
		printf("%d: head %d is read for node %d\n", plane_clock, head, n);
		POLL(n, k).head = head
	   }
	:: d_step { POLL(n, k).state == SENT && POLL(n, k).head != 0 -> record(n, POLL(n, k)) }
	:: d_step { IS_HELD(POLL(n, k)) -> reply(n, POLL(n, k), POLL(n, k).head, POLL(n, k).head) }
#else
	/* A poll that arrives twice is recorded twice. */
	:: d_step { POLL(n, k).state != NONE && !SUPERSEDED(n, POLL(n, k)) -> record(n, POLL(n, k)) }
	/* Only then the head is read, at once or when the poll was held. */
	:: d_step { IS_HELD(POLL(n, k)) -> reply(n, POLL(n, k), head, head) }
	/* Too much for one answer. */
	:: d_step { IS_HELD(POLL(n, k)) && POLL(n, k).applied + 1 < head ->
		reply(n, POLL(n, k), POLL(n, k).applied + 1, head) }
#endif
	od
}

/* ---- the control plane: the revoke, and its receipt ---- */

inline commit()
{
	printf("%d: the revoke is committed\n", plane_clock);
	head = REVOKED
}

inline read_rows()
{
	printf("%d: the lease rows are read\n", plane_clock);
	rows_read_at = plane_clock;
	i = 0;
	do
	:: i < NODES * STARTS -> row[i].first_read = (MISTAKE == 9 -> NEVER : row[i].granted_at); i++
	:: else -> break
	od;
	i = 0
}

inline take_over()			/* by another process: it will read the rows anew */
{
	receipt = (receipt == PENDING -> COMMITTED : receipt);
	rows_read_at = NEVER;
	i = 0;
	do
	:: i < NODES * STARTS -> row[i].first_read = NEVER; i++
	:: else -> break
	od;
	i = 0
}

inline cut_power()			/* lease rows need not survive: the worst is that all are lost */
{
	printf("%d: the database has lost all lease rows\n", plane_clock);
	power_cuts++;
	take_over();
	do
	:: i < NODES * STARTS -> row[i].granted_at = NEVER; row[i].confirmed = false; i++
	:: else -> break
	od;
	i = 0;
	no_receipt_before = (MISTAKE == 17 -> 0 : plane_clock + BOUND)
}

proctype Revoke()			/* step 7 */
{
	byte i;
#if MISTAKE == 11
	d_step { receipt = COMMITTED; read_rows() }
	d_step { receipt = PENDING; commit() }
#else
	d_step { receipt = COMMITTED; commit() }
	d_step { receipt = PENDING; read_rows() }
#endif
end:	do
	:: d_step { receipt == PENDING && ALL_SETTLED && plane_clock >= no_receipt_before ->
		printf("%d: the receipt is complete\n", plane_clock);
		assert(!(DENY == 3 && row[0].first_read != NEVER && row[0].confirmed && !ENDED(0)));
		assert(!(DENY == 4 && row[0].first_read != NEVER && !row[0].confirmed && ENDED(0)));
		receipt = COMPLETE;
		erase_rows()
	   }
#if MISTAKE != 11
	:: d_step { receipt == PENDING -> printf("%d: the barrier's process dies\n", plane_clock); take_over() }
	:: d_step { receipt == COMMITTED -> receipt = PENDING; read_rows() }
#endif
	od
}

#if POWER_CUTS
proctype Power()
{
	byte i;
end:	do
	:: d_step { power_cuts < POWER_CUTS && receipt != COMPLETE -> cut_power() }
	od
}
#endif

/* ---- the follower of node n ---- */

inline start(n)				/* step 1: a new incarnation, which waits for no answer */
{
	node[n].incarnation++;
	node[n].polled_at = NEVER;
	node[n].unapplied = 0
}

inline send(n)				/* step 2; the poll before may still be under way */
{
	i = POLLS - 1;
	do
	:: i > 0 ->
		POLL(n, i).state = POLL(n, i - 1).state;
		POLL(n, i).incarnation = POLL(n, i - 1).incarnation;
		POLL(n, i).applied = POLL(n, i - 1).applied;
		POLL(n, i).sent_at = POLL(n, i - 1).sent_at;
		i--
	:: else -> break
	od;
	node[n].polled_at = node[n].clock;
	POLL(n, 0).state = SENT;
	POLL(n, 0).incarnation = node[n].incarnation;
	POLL(n, 0).applied = (node[n].unapplied > node[n].applied && MISTAKE == 7 -> node[n].unapplied : node[n].applied);
	POLL(n, 0).sent_at = node[n].clock;
	POLL(n, 0).head = 0;
	printf("%d: node %d, incarnation %d, polls: applied %d, its clock %d\n",
		plane_clock, n, node[n].incarnation, POLL(n, 0).applied, node[n].clock)
}

/* An answer to another incarnation, or to a poll that was given up, is not read. */
#define IS_AWAITED(n, m) (node[n].polled_at != NEVER && m.sent_at != NEVER && \
	(m.incarnation == node[n].incarnation || MISTAKE == 3) && \
	(m.sent_at == node[n].polled_at || MISTAKE == 16))
#define GIVES_LEASE(n, m) (m.reached == m.head && node[n].applied >= m.head || MISTAKE == 41 || MISTAKE == 42)

inline take(n, m)			/* step 5: changes, position and lease in one transaction */
{
	printf("%d: node %d takes an answer: changes to %d, head %d\n", plane_clock, n, m.reached, m.head);
	if
	:: MISTAKE == 41 || MISTAKE == 7 -> node[n].unapplied = m.reached
	:: else -> node[n].applied = (m.reached > node[n].applied -> m.reached : node[n].applied)
	fi;
	if
	:: GIVES_LEASE(n, m) ->			/* counted from when the poll was sent */
		node[n].fresh_from = (MISTAKE == 5 -> node[n].clock : node[n].polled_at);
		node[n].flag = (MISTAKE == 6)
	:: else
	fi;
	node[n].polled_at = NEVER
}

inline crash(n, left)			/* of the host: what is left of the replica was on the disk */
{
	printf("%d: node %d's host crashes; the replica is at %d\n", plane_clock, n, left);
	start(n);
	node[n].boot++;
	node[n].applied = left;
	/* A lease of another boot is void. */
	node[n].fresh_from = (MISTAKE == 81 || MISTAKE == 82 -> node[n].fresh_from : NEVER);
	node[n].clock = (MISTAKE == 81 -> node[n].clock : 0);
	node[n].ticks_since_loss = LEASE;
	node[n].flag = false;
	node[n].remembered = false;
	node[n].verifies = false;
	node[n].began_after_receipt = false;
	node[n].lease_from = 0
}

#define MAY_START(n) (node[n].incarnation + 1 < STARTS)
#define MAY_CRASH(n) (MAY_START(n) && node[n].boot < CRASHES)

proctype Follower(byte n)
{
	byte i;
end:	do
	/* Also while it waits: it has given up the poll before. */
	:: d_step { true -> send(n); erase(n) }
	:: d_step { IS_AWAITED(n, ANSWER(n, 0)) -> take(n, ANSWER(n, 0)); erase(n) }
#if ANSWERS == 2
	:: d_step { IS_AWAITED(n, ANSWER(n, 1)) -> take(n, ANSWER(n, 1)); erase(n) }
#endif
#if MISTAKE == 41 || MISTAKE == 7
	:: d_step { node[n].unapplied > node[n].applied ->
		printf("%d: node %d applies the changes\n", plane_clock, n);
		node[n].applied = node[n].unapplied;
		node[n].unapplied = 0
	   }
#endif
	/* It starts again in the same boot: it retires the incarnation before, and the lease stays. */
	:: d_step { MAY_START(n) ->
		printf("%d: node %d's follower starts again\n", plane_clock, n);
		start(n);
		retires[n * STARTS + node[n].incarnation] = true;
		erase(n)
	   }
	:: d_step { MAY_CRASH(n) -> crash(n, node[n].applied); erase(n) }
#if MISTAKE != 82				/* there the clock alone must do the harm */
	:: d_step { MAY_CRASH(n) && node[n].applied >= 1 -> crash(n, node[n].applied - 1); erase(n) }
	:: d_step { MAY_CRASH(n) && node[n].applied == 2 -> crash(n, 0); erase(n) }
#endif
	od
}

/* ---- a verifier of node n ---- */

#define ACCEPTS_KEY(n) (node[n].applied == ISSUED || node[n].remembered)
#define LEASE_RUNS(n) (MISTAKE == 6 -> node[n].flag : node[n].clock < node[n].lease_from + LEASE)

proctype Verifier(byte n)		/* step 6 */
{
end:	do
	/* One snapshot of the replica. A verification that it refuses already is not followed further. */
	:: d_step { !node[n].verifies && ACCEPTS_KEY(n) && node[n].fresh_from != NEVER ->
		printf("%d: node %d begins to verify\n", plane_clock, n);
		node[n].verifies = true;
		node[n].began_after_receipt = (receipt == COMPLETE);
		node[n].lease_from = node[n].fresh_from;
		node[n].remembered = (MISTAKE == 12)
	   }
	/* Then the clock, and the decision. */
	:: d_step { node[n].verifies ->
		if
		:: LEASE_RUNS(n) ->
			printf("%d: node %d accepts\n", plane_clock, n);
			/* P1: no acceptance by a verification that began after the receipt. */
			assert(!node[n].began_after_receipt);
			assert(!(DENY == 1 && receipt == NOTHING));
			assert(!(DENY == 2 && receipt == COMPLETE))
		:: else
		fi;
		node[n].verifies = false;
		node[n].began_after_receipt = false;
		node[n].lease_from = 0
	   }
#if MISTAKE == 6
	/* The timer; late, if the process was stopped. */
	:: d_step { node[n].flag && node[n].clock >= node[n].fresh_from + LEASE -> node[n].flag = false }
#endif
	od
}

init {
	byte n, k;
	atomic {
		run Time();
		run Revoke();
#if POWER_CUTS
		run Power();
#endif
		do
		:: n < NODES ->
			run Follower(n);
			run Verifier(n);
			k = 0;
			do
			:: k < POLLS -> run Feed(n, k); k++
			:: else -> break
			od;
			n++
		:: else -> break
		od
	}
}
