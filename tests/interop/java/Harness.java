import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicInteger;

/** Runs named features of the official client against a NameServer; one JSON line for each: did it work, why not. */
public final class Harness {
    interface Feature {
        void run() throws Exception;
    }

    static final int FEATURE_SECONDS_MAX = 200;
    static final Map<String, Feature> FEATURES = new LinkedHashMap<>();
    private static final Map<String, Feature> ALONE = new LinkedHashMap<>();
    private static final String NO_SUCH_CALL = "the client has no such call";
    private static final AtomicInteger COUNTER = new AtomicInteger();
    static String namesrv = "";
    static String brokerAddress = "";
    static String brokerName = "broker-a";

    private Harness() {
    }

    /** Registers a feature that disturbs others: it runs after all of them. */
    static void alone(String name, Feature feature) {
        ALONE.put(name, feature);
    }

    /** Registers features of other clients, so that the results say that this one lacks them. */
    static void lacking(String... names) {
        for (String name : names) {
            FEATURES.put(name, () -> {
                throw new UnsupportedOperationException(NO_SUCH_CALL);
            });
        }
    }

    /** A name that nothing else in this run has. */
    static String fresh(String prefix) {
        return prefix + "_" + ProcessHandle.current().pid() + "_" + COUNTER.incrementAndGet();
    }

    static void check(boolean held, String what) {
        if (!held) {
            throw new AssertionError(what);
        }
    }

    static void same(Object wanted, Object got, String what) {
        check(wanted.equals(got), what + ": wanted " + wanted + ", got " + got);
    }

    /** Waits until something holds. */
    static void until(String what, int seconds, Callable<Boolean> holds) throws Exception {
        long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds);
        while (!holds.call()) {
            check(System.nanoTime() < end, "not within " + seconds + " s: " + what);
            Thread.sleep(20);
        }
    }

    static String text(byte[] body) {
        return new String(body, StandardCharsets.UTF_8);
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static String quoted(String text) {
        StringBuilder out = new StringBuilder("\"");
        for (char c : text.toCharArray()) {
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c < 32 || c > 126) {
                out.append(String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        return out.append('"').toString();
    }

    private static String reason(Throwable error) {
        Throwable cause = error;
        while (cause.getCause() != null && cause.getMessage() == null) {
            cause = cause.getCause();
        }
        if (NO_SUCH_CALL.equals(cause.getMessage())) {
            return NO_SUCH_CALL;
        }
        String said = cause.getClass().getSimpleName() + ": " + cause.getMessage();
        return said.length() > 300 ? said.substring(0, 300) : said;
    }

    /** Arguments: NameServer, broker's address, features at once, then names of features (none: all). */
    public static void main(String[] arguments) throws Exception {
        namesrv = arguments[0];
        brokerAddress = arguments[1];
        Sending.register();
        Consuming.register();
        Retrying.register();
        Transactions.register();
        Pulling.register();
        Asking.register();
        Newer.register();
        Administering.register();
        List<String> wanted = List.of(arguments).subList(3, arguments.length);
        if (wanted.contains("list")) {
            FEATURES.keySet().forEach(System.out::println);
            ALONE.keySet().forEach(System.out::println);
            return;
        }
        ExecutorService starters = Executors.newFixedThreadPool(Integer.parseInt(arguments[2]), Harness::daemon);
        ExecutorService runners = Executors.newCachedThreadPool(Harness::daemon);
        List<String> names = new ArrayList<>(wanted);
        if (wanted.isEmpty()) {
            names.addAll(FEATURES.keySet());
            names.addAll(ALONE.keySet());
        }
        List<Future<?>> all = new ArrayList<>();
        for (String name : names) {
            if (!ALONE.containsKey(name)) {
                all.add(starters.submit(() -> report(name, FEATURES.get(name), runners)));
            }
        }
        for (Future<?> one : all) {
            one.get();
        }
        names.stream().filter(ALONE::containsKey).forEach(name -> report(name, ALONE.get(name), runners));
        System.out.flush();
        Runtime.getRuntime().halt(0);
    }

    private static void report(String name, Feature feature, ExecutorService runners) {
        long began = System.nanoTime();
        Throwable trouble = null;
        Future<?> running = runners.submit(() -> {
            check(feature != null, "no such feature");
            feature.run();
            return null;
        });
        try {
            running.get(FEATURE_SECONDS_MAX, TimeUnit.SECONDS);
        } catch (TimeoutException late) {
            trouble = new AssertionError("did not end within " + FEATURE_SECONDS_MAX + " s");
        } catch (Exception error) {
            trouble = error.getCause() == null ? error : error.getCause();
        }
        String why = trouble == null ? "" : reason(trouble);
        long ms = TimeUnit.NANOSECONDS.toMillis(System.nanoTime() - began);
        synchronized (Harness.class) {
            System.out.println("{\"feature\": " + quoted(name) + ", \"works\": " + (trouble == null)
                + ", \"reason\": " + quoted(why) + ", \"ms\": " + ms + "}");
            System.out.flush();
        }
    }

    private static Thread daemon(Runnable work) {
        Thread thread = new Thread(work);
        thread.setDaemon(true);
        return thread;
    }
}
