package run.caracal.internal.capacity;

import static org.assertj.core.api.Assertions.assertThat;
import static run.caracal.test.FakePlatform.LIMIT;

import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.function.Supplier;
import org.jspecify.annotations.Nullable;
import org.junit.jupiter.api.Nested;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;
import reactor.core.Disposable;
import reactor.core.publisher.Flux;
import reactor.core.publisher.Mono;
import reactor.core.scheduler.Scheduler;
import reactor.core.scheduler.Schedulers;
import reactor.test.StepVerifier;
import reactor.test.scheduler.VirtualTimeScheduler;
import run.caracal.error.CapacityException;
import run.caracal.error.ClosedException;
import run.caracal.error.Limit;
import run.caracal.internal.capacity.SessionGate.Kind;
import run.caracal.internal.event.EventBus;
import run.caracal.test.FakePlatform;

class SessionGateTest {
    private static final Duration PATIENCE = Duration.ofSeconds(20);

    private final EventBus events = new EventBus();
    private final List<String> order = new ArrayList<>();
    private final Deque<Place> held = new ArrayDeque<>();

    private SessionGate gate(int limit) {
        return gate(limit, Schedulers.parallel());
    }

    private SessionGate gate(int limit, Scheduler timer) {
        return gate(limit, timer, Schedulers::immediate);
    }

    private SessionGate gate(int limit, Scheduler timer, Supplier<Scheduler> callers) {
        return new SessionGate(
                new FakePlatform()
                        .config()
                        .maxOpenSessions(limit)
                        .sessionAcquireTimeout(PATIENCE)
                        .build(),
                events,
                timer,
                callers);
    }

    /** Opens a session that stays open, and records its name when it has its permit. */
    private Disposable open(SessionGate gate, Kind kind, @Nullable Place within, String name) {
        return gate.one(kind, within, place -> {
                    place.take();
                    order.add(name);
                    held.add(place);
                    return Mono.never();
                })
                .subscribe(null, e -> order.add(name + " " + e.getClass().getSimpleName()));
    }

    private Place openNow(SessionGate gate, Kind kind, @Nullable Place within) {
        int before = held.size();
        var unused = open(gate, kind, within, "now");
        assertThat(held).as("it had to wait").hasSize(before + 1);
        order.clear();
        return held.removeLast();
    }

    @Nested
    class InLine {
        @Test
        void firstComeIsFirstServed() {
            SessionGate gate = gate(2);
            Place first = openNow(gate, Kind.TASK, null);
            for (String name : List.of("a", "b", "c")) {
                var unused = open(gate, Kind.TASK, null, name);
            }
            assertThat(order).isEmpty();
            first.release();
            assertThat(order).containsExactly("a");
            held.remove().release();
            held.remove().release();
            assertThat(order).containsExactly("a", "b", "c");
        }

        /** Its code could block whoever gives a permit back, which may be the loop of all leases. */
        @Test
        void whoHasWaitedGoesOnElsewhereThanWhereThePermitCameFrom() {
            Scheduler callers = Schedulers.newSingle("callers");
            SessionGate gate = gate(1, Schedulers.parallel(), () -> callers);
            Place first = openNow(gate, Kind.TASK, null);
            Mono<String> thread = gate.one(
                    Kind.TASK,
                    null,
                    place -> Mono.fromSupplier(() -> Thread.currentThread().getName())
                            .doOnNext(name -> place.release()));
            StepVerifier.create(thread)
                    .then(first::release)
                    .expectNextMatches(name -> name.startsWith("callers"))
                    .expectComplete()
                    .verify(LIMIT);
            assertThat(gate.used()).isZero();
            callers.dispose();
        }

        @Test
        void nobodyOvertakesWhoWaits() {
            SessionGate gate = gate(6);
            Place one = openNow(gate, Kind.TASK, null);
            Place two = openNow(gate, Kind.TASK, null);
            var waits = open(gate, Kind.TASK, null, "waits");
            Disposable later = open(gate, Kind.TASK, null, "later");
            one.release();
            assertThat(order).containsExactly("waits");
            later.dispose();
            two.release();
            assertThat(order).containsExactly("waits");
            waits.dispose();
        }

        @Test
        void whoLeavesLeavesNoTrace() {
            SessionGate gate = gate(2);
            Place first = openNow(gate, Kind.TASK, null);
            Disposable gone = open(gate, Kind.TASK, null, "gone");
            var stays = open(gate, Kind.TASK, null, "stays");
            gone.dispose();
            assertThat(gate.waiting()).isOne();
            first.release();
            assertThat(order).containsExactly("stays");
            held.remove().release();
            assertThat(gate.used()).isZero();
            stays.dispose();
        }

        /** Leaving without having queued removes no other waiter. */
        @Test
        void whoGoesWithoutHavingWaitedLeavesTheLineAsItIs() {
            SessionGate gate = gate(2);
            Place first = openNow(gate, Kind.TASK, null);
            StepVerifier.create(gate.one(Kind.TASK, first, place -> Mono.empty()))
                    .expectComplete()
                    .verify(LIMIT);
            var waits = open(gate, Kind.TASK, null, "waits");
            StepVerifier.create(gate.one(Kind.HELPER, first, place -> Mono.empty()))
                    .expectComplete()
                    .verify(LIMIT);
            Disposable never = gate.one(Kind.TASK, null, place -> Mono.never()).subscribe();
            never.dispose();
            first.release();
            assertThat(order).containsExactly("waits");
            waits.dispose();
        }

        @Test
        void aPlaceGivenBackTwiceIsOnePlace() {
            SessionGate gate = gate(4);
            Place one = openNow(gate, Kind.TASK, null);
            one.release();
            one.release();
            one.settled();
            one.abandon();
            assertThat(gate.used()).isZero();
        }

        @Test
        void whatGoesOnBehindItsOwnerKeepsItsPlaceUntilItIsSettled() {
            SessionGate gate = gate(2);
            Place one = openNow(gate, Kind.TASK, null);
            one.pend();
            one.release();
            assertThat(gate.used()).isEqualTo(2);
            one.settled();
            assertThat(gate.used()).isZero();
        }

        @Test
        void theClosedGateRefusesWaitersAtOnceAndWhoComesLater() {
            SessionGate gate = gate(2);
            Place first = openNow(gate, Kind.TASK, null);
            for (String name : List.of("a", "b")) {
                var unused = open(gate, Kind.TASK, null, name);
            }
            gate.close();
            assertThat(order).containsExactlyInAnyOrder("a ClosedException", "b ClosedException");
            StepVerifier.create(gate.many(Kind.TASK, null, place -> Flux.never()))
                    .expectError(ClosedException.class)
                    .verify(LIMIT);
            first.release();
            assertThat(gate.waiting()).isZero();
            assertThat(gate.used()).isZero();
        }

        @Test
        void whoWaitsTooLongIsToldWhichLimitItIs() {
            VirtualTimeScheduler time = VirtualTimeScheduler.create();
            SessionGate gate = gate(6, time);
            Place forEver = openNow(gate, Kind.TASK, null);
            Place service = openNow(gate, Kind.SERVICE, null);
            AtomicReference<@Nullable Throwable> failure = new AtomicReference<>();
            var unused = gate.one(Kind.TASK, null, place -> Mono.never()).subscribe(null, failure::set);
            time.advanceTimeBy(PATIENCE.minusMillis(1));
            assertThat(failure).hasNullValue();
            time.advanceTimeBy(Duration.ofMillis(1));
            assertThat(failure.get())
                    .isInstanceOfSatisfying(CapacityException.class, e -> {
                        assertThat(e.code()).isEqualTo("capacity_timeout");
                        assertThat(e.isRetryable()).isTrue();
                        assertThat(e.limit()).isEqualTo(new Limit(Limit.Kind.CLIENT_SESSIONS, 6, true, null));
                    })
                    .hasMessageContaining("maxOpenSessions is 6")
                    .hasMessageContaining("2 of them by services");
            assertThat(gate.waiting()).isZero();
            service.release();
            forEver.release();
            assertThat(gate.used()).isZero();
        }

        /** Each session that ends immediately admits the next, which ends immediately, too. */
        @Test
        void aLongLineOfShortSessionsDoesNotDeepenTheStack() {
            SessionGate gate = gate(2);
            Place first = openNow(gate, Kind.TASK, null);
            AtomicInteger served = new AtomicInteger();
            for (int i = 0; i < 50_000; i++) {
                var unused = gate.one(
                                Kind.TASK,
                                null,
                                place -> Mono.fromRunnable(() -> {
                                    place.take();
                                    served.incrementAndGet();
                                    place.release();
                                }))
                        .subscribe();
            }
            first.release();
            assertThat(served).hasValue(50_000);
            assertThat(gate.used()).isZero();
        }
    }

    @Nested
    class InsideOneAnother {
        @ParameterizedTest
        @CsvSource({"1, 1", "2, 1", "4, 1", "5, 2", "10, 3", "20, 5", "50, 20", "100, 45"})
        void thatManyOutsideOfOthersAreOpenAtOnce(int limit, int roots) {
            SessionGate gate = gate(limit);
            for (int i = 0; i < limit; i++) {
                var unused = open(gate, Kind.TASK, null, "root");
            }
            assertThat(order).hasSize(roots);
            // The first child of each root has a reserved permit, so no child waits for another root.
            if (limit > 1) {
                List.copyOf(held).forEach(root -> {
                    var unused = openNow(gate, Kind.HELPER, root);
                });
            }
        }

        @Test
        void theFirstInsideHasItsPlaceAlready() {
            SessionGate gate = gate(2);
            Place root = openNow(gate, Kind.TASK, null);
            assertThat(gate.used()).isEqualTo(2);
            Place helper = openNow(gate, Kind.HELPER, root);
            assertThat(gate.used()).isEqualTo(2);
            root.release();
            helper.release();
            assertThat(gate.used()).isZero();
        }

        @Test
        void whoIsInsideGoesBeforeWhoIsOutside() {
            SessionGate gate = gate(4);
            Place root = openNow(gate, Kind.TASK, null);
            Place first = openNow(gate, Kind.TASK, root);
            Place second = openNow(gate, Kind.TASK, first);
            var outside = open(gate, Kind.TASK, null, "outside");
            var inside = open(gate, Kind.TASK, root, "inside");
            second.release();
            first.release();
            assertThat(order).containsExactly("inside");
            outside.dispose();
            inside.dispose();
        }

        @ParameterizedTest
        @CsvSource({"1, 1, 2", "2, 2, 4", "3, 2, 4", "10, 6, 12", "50, 11, 22"})
        void whatCouldWaitForItsOwnAncestorsForEverIsRefusedWithTheLeast(int limit, int depth, int least) {
            SessionGate gate = gate(limit);
            Place place = openNow(gate, Kind.TASK, null);
            for (int i = 1; i < depth; i++) {
                place = openNow(gate, Kind.TASK, place);
            }
            StepVerifier.create(gate.one(Kind.TASK, place, inside -> Mono.never()))
                    .expectErrorSatisfies(e -> assertThat(e)
                            .isInstanceOfSatisfying(CapacityException.class, small -> {
                                assertThat(small.code()).isEqualTo("capacity_too_small");
                                assertThat(small.isRetryable()).isFalse();
                                assertThat(small.limit().passes()).isFalse();
                            })
                            .hasMessageContaining("at least " + least))
                    .verify(LIMIT);
        }

        @Test
        void aServiceWithoutRoomForTheAuthorityOfItsCallsIsToldTheLeast() {
            SessionGate gate = gate(1);
            Place service = openNow(gate, Kind.SERVICE, null);
            StepVerifier.create(gate.one(Kind.HELPER, service, inside -> Mono.never()))
                    .expectErrorSatisfies(e -> assertThat(e).hasMessageContaining("at least 2"))
                    .verify(LIMIT);
        }

        @Test
        void whatIsOpenedInsideAServiceIsOutsideOfOthers() {
            SessionGate gate = gate(6);
            Place service = openNow(gate, Kind.SERVICE, null);
            Place task = openNow(gate, Kind.TASK, service);
            assertThat(task.depth()).isZero();
            assertThat(gate.used()).isEqualTo(4);
            Place helper = openNow(gate, Kind.HELPER, service);
            assertThat(gate.used()).isEqualTo(4);
            service.release();
            helper.release();
            task.release();
            assertThat(gate.used()).isZero();
        }

        /** Services reduce the permits of tasks, and so the permits that are reserved for nested tasks. */
        @Test
        void servicesDoNotKeepTasksFromWhatIsLeft() {
            SessionGate gate = gate(50);
            for (int i = 0; i < 20; i++) {
                Place unused = openNow(gate, Kind.SERVICE, null);
            }
            Place task = openNow(gate, Kind.TASK, null);
            assertThat(task.depth()).isZero();
        }

        /** Open sessions wait for it, so it goes first. */
        @Test
        void theSessionsOfAnApplicationTransportDoNotQueueBehindThoseOutside() {
            SessionGate gate = gate(10);
            while (gate.waiting() == 0) {
                var unused = open(gate, Kind.TASK, null, "root");
            }
            Place source = openNow(gate, Kind.APPLICATION, null);
            Place helper = openNow(gate, Kind.HELPER, source);
            assertThat(source.lasting && helper.lasting).isTrue();
        }

        @Test
        void aServiceThatIsTakenOverCountsAndDoesNotWait() {
            SessionGate gate = gate(2);
            Place task = openNow(gate, Kind.TASK, null);
            Place taken = gate.adopt();
            assertThat(gate.used()).isEqualTo(3);
            task.release();
            var waits = open(gate, Kind.TASK, null, "waits");
            assertThat(order).isEmpty();
            taken.release();
            assertThat(order).containsExactly("waits");
            waits.dispose();
        }

        @Test
        void theDeeperOfTwoPlacesIsTheOneThatIsWaitedIn() {
            SessionGate gate = gate(20);
            Place root = openNow(gate, Kind.TASK, null);
            Place inside = openNow(gate, Kind.TASK, root);
            Place service = openNow(gate, Kind.SERVICE, null);
            assertThat(SessionGate.deeper(root, inside)).isSameAs(inside);
            assertThat(SessionGate.deeper(inside, root)).isSameAs(inside);
            assertThat(SessionGate.deeper(null, root)).isSameAs(root);
            assertThat(SessionGate.deeper(root, null)).isSameAs(root);
            assertThat(SessionGate.deeper(inside, service)).isSameAs(inside);
            assertThat(SessionGate.deeper(null, null)).isNull();
        }
    }

    /** Trees of any form, as deep as the limit permits, with helpers at every level: all complete. */
    @ParameterizedTest
    @ValueSource(ints = {2, 3, 4, 5, 6, 7, 10, 12, 20, 50})
    void treesOfAnyFormComeToTheirEnd(int limit) {
        SessionGate gate = gate(limit);
        Forest forest = new Forest(gate, limit);
        Mono<Void> all = Flux.range(0, 300)
                .flatMap(
                        seed -> {
                            Mono<Void> tree = forest.tree(null, 0, new Random(seed));
                            boolean cancelled = seed % 10 < 3;
                            return cancelled
                                    ? Mono.firstWithSignal(
                                            tree,
                                            Mono.delay(Duration.ofNanos(seed * 10_000L))
                                                    .then())
                                    : tree;
                        },
                        64)
                .then();
        // A cancelled tree may release its permits after its caller has continued.
        Mono<Long> free = Flux.interval(Duration.ofMillis(1))
                .onBackpressureDrop()
                .filter(tick -> gate.used() == 0)
                .next();
        StepVerifier.create(all.then(free)).expectNextCount(1).expectComplete().verify(LIMIT);
        assertThat(gate.waiting()).isZero();
        assertThat(forest.most.get()).isBetween(2, limit);
    }

    private static final class Forest {
        private final SessionGate gate;
        private final int deepest;
        private final AtomicInteger open = new AtomicInteger();
        final AtomicInteger most = new AtomicInteger();

        Forest(SessionGate gate, int limit) {
            this.gate = gate;
            this.deepest = Math.min(10, limit / 2);
        }

        Mono<Void> tree(@Nullable Place within, int depth, Random random) {
            int children = depth + 1 < deepest ? random.nextInt(depth == 0 ? 4 : 3) : 0;
            List<Random> seeds = new ArrayList<>();
            for (int i = 0; i < children; i++) {
                seeds.add(new Random(random.nextLong()));
            }
            boolean calls = depth < deepest && random.nextBoolean();
            return gate.one(
                    Kind.TASK,
                    within,
                    place -> session(
                            place,
                            inside -> Flux.fromIterable(seeds)
                                    .flatMap(seed -> tree(inside, depth + 1, seed))
                                    .then(calls ? helper(inside) : Mono.empty())));
        }

        private Mono<Void> helper(Place within) {
            return gate.one(Kind.HELPER, within, place -> session(place, inside -> Mono.empty()));
        }

        private Mono<Void> session(Place place, Function<Place, Mono<Void>> work) {
            return Mono.defer(() -> {
                        place.take();
                        most.accumulateAndGet(open.incrementAndGet(), Math::max);
                        return work.apply(place)
                                .subscribeOn(Schedulers.parallel())
                                .doFinally(end -> {
                                    open.decrementAndGet();
                                    place.release();
                                });
                    })
                    // The caller has cancelled.
                    .onErrorResume(ClosedException.class, gone -> Mono.empty());
        }
    }

    /** The permit belongs to exactly one of the two: the waiter that is cancelled too late, or the gate. */
    @Test
    void aWaiterCancelledAtTheInstantItIsServedLosesAndDoublesNothing() throws InterruptedException {
        int rounds = 200_000;
        SessionGate gate = gate(2);
        AtomicInteger round = new AtomicInteger(-1);
        AtomicInteger released = new AtomicInteger(-1);
        AtomicReference<@Nullable Place> holder = new AtomicReference<>();
        AtomicReference<@Nullable Place> taken = new AtomicReference<>();
        Thread releasing = new Thread(() -> {
            for (int i = 0; i < rounds; i++) {
                while (round.get() < i) {
                    Thread.onSpinWait();
                }
                Place place = holder.get();
                if (place != null) {
                    place.release();
                }
                released.set(i);
            }
        });
        releasing.start();
        int served = 0;
        for (int i = 0; i < rounds; i++) {
            holder.set(openNow(gate, Kind.TASK, null));
            Disposable waiter = gate.one(
                            Kind.TASK,
                            null,
                            place -> Mono.defer(() -> {
                                        place.take();
                                        taken.set(place);
                                        return Mono.never();
                                    })
                                    .onErrorComplete())
                    .subscribe();
            round.set(i);
            for (int spin = i % 64; spin > 0; spin--) {
                Thread.onSpinWait();
            }
            waiter.dispose();
            while (released.get() < i) {
                Thread.onSpinWait();
            }
            Place mine = taken.getAndSet(null);
            if (mine != null) {
                served++;
                mine.release();
            }
            if (gate.used() != 0 || gate.waiting() != 0) {
                throw new AssertionError(
                        "round " + i + ": " + gate.used() + " places are used, " + gate.waiting() + " wait");
            }
        }
        releasing.join();
        // Both outcomes occurred.
        assertThat(served).isBetween(1, rounds - 1);
    }
}
