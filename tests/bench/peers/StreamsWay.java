import com.fasterxml.jackson.annotation.JsonIgnoreProperties;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectReader;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.Properties;
import org.apache.kafka.clients.consumer.ConsumerConfig;
import org.apache.kafka.common.serialization.Deserializer;
import org.apache.kafka.common.serialization.Serde;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.common.serialization.Serializer;
import org.apache.kafka.streams.AutoOffsetReset;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.PunctuationType;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;
import org.apache.kafka.streams.state.KeyValueStore;
import org.apache.kafka.streams.state.Stores;

/**
 * The job in Kafka Streams: a processor with a persistent, cached and logged store of each place's days, and a
 * punctuation by stream time for absence. One thread, as one worker process has.
 *
 * <p>Arguments and output as of the other peers: see report.py.
 */
public final class StreamsWay {
    private static final long DAY_MS = 86_400_000L;
    private static final int[] WINDOWS = {7, 14, 28};
    private static final int LONGEST = 28;
    private static final int ABSENT_DAYS = 14;
    private static final String STORE = "places";

    private StreamsWay() {}

    /** An event or a tick: what the job needs of either. */
    @JsonIgnoreProperties(ignoreUnknown = true)
    record Activity(String student, String module, boolean qualifying, long occurred_ms, Integer weight, long at_ms) {
        boolean isTick() {
            return at_ms > 0;
        }

        long moment() {
            return isTick() ? at_ms : occurred_ms;
        }
    }

    /** A place's volume by day, in a ring, up to its last day. */
    static final class Place {
        int lastDay;
        boolean absent;
        final int[] volumes = new int[LONGEST];

        /** Counts; gives whether it is the place's first event of a new day. */
        boolean count(int day, int weight) {
            boolean isNew = day > lastDay;
            if (isNew) {
                for (int gone = Math.max(lastDay + 1, day - LONGEST + 1); gone <= day; gone++) {
                    volumes[gone % LONGEST] = 0;
                }
                lastDay = day;
                absent = false;
            }
            if (day > lastDay - LONGEST) {
                volumes[day % LONGEST] += weight;
            }
            return isNew;
        }

        String figures(String place, int daysSince) {
            String[] parts = place.split("/");
            StringBuilder said = new StringBuilder(256);
            said.append("{\"student\":\"").append(parts[0]).append("\",\"module\":\"").append(parts[1]);
            said.append("\",\"days_since_last_activity\":").append(daysSince);
            said.append(",\"alert\":").append(daysSince >= ABSENT_DAYS);
            for (int window : WINDOWS) {
                int active = 0;
                int volume = 0;
                for (int day = lastDay - window + 1; day <= lastDay; day++) {
                    int found = volumes[day % LONGEST];
                    active += found > 0 ? 1 : 0;
                    volume += found;
                }
                said.append(",\"active_days_").append(window).append("\":").append(active);
                said.append(",\"volume_").append(window).append("\":").append(volume);
            }
            return said.append('}').toString();
        }
    }

    /** A place as bytes: its last day, whether absence was said, the ring. */
    static final class PlaceSerde implements Serde<Place> {
        @Override
        public Serializer<Place> serializer() {
            return (topic, place) -> {
                ByteBuffer bytes = ByteBuffer.allocate(4 + 1 + 4 * LONGEST);
                bytes.putInt(place.lastDay).put((byte) (place.absent ? 1 : 0));
                bytes.asIntBuffer().put(place.volumes);
                return bytes.array();
            };
        }

        @Override
        public Deserializer<Place> deserializer() {
            return (topic, data) -> {
                if (data == null) {
                    return null;
                }
                ByteBuffer bytes = ByteBuffer.wrap(data);
                Place place = new Place();
                place.lastDay = bytes.getInt();
                place.absent = bytes.get() == 1;
                bytes.asIntBuffer().get(place.volumes);
                return place;
            };
        }
    }

    /** Lines on the standard output, as report.py writes them. */
    static final class Report {
        private final long records;
        private long taken;
        private long next;

        Report(long records) {
            this.records = records;
        }

        synchronized void taken() {
            if (taken == 0) {
                say();
            }
            if (++taken >= next || taken == records) {
                next = taken + records / 50;
                say();
            }
        }

        private void say() {
            var system = (com.sun.management.OperatingSystemMXBean) ManagementFactory.getOperatingSystemMXBean();
            double cpu = system.getProcessCpuTime() / 1e9;
            double at = System.currentTimeMillis() / 1e3;
            System.out.println("{\"records\": " + taken + ", \"at\": " + at + ", \"cpu_s\": " + cpu + "}");
        }
    }

    /** Counts, and looks for absence once a day of stream time. */
    static final class Counting implements Processor<String, Activity, String, String> {
        private final Report report;
        private ProcessorContext<String, String> context;
        private KeyValueStore<String, Place> places;

        Counting(Report report) {
            this.report = report;
        }

        @Override
        public void init(ProcessorContext<String, String> given) {
            context = given;
            places = given.getStateStore(STORE);
            given.schedule(Duration.ofDays(1), PunctuationType.STREAM_TIME, this::judge);
        }

        @Override
        public void process(Record<String, Activity> record) {
            report.taken();
            Activity activity = record.value();
            if (activity.isTick() || !activity.qualifying()) {
                return;
            }
            String key = activity.student() + "/" + activity.module();
            Place place = places.get(key);
            if (place == null) {
                place = new Place();
            }
            int day = (int) (activity.occurred_ms() / DAY_MS);
            int daysSince = place.lastDay == 0 ? 0 : day - place.lastDay;
            boolean isNew = place.count(day, activity.weight() == null ? 1 : activity.weight());
            places.put(key, place);
            if (isNew) {
                context.forward(record.withKey(activity.student()).withValue(place.figures(key, daysSince)));
            }
        }

        private void judge(long atMs) {
            int today = (int) (atMs / DAY_MS);
            try (var all = places.all()) {
                while (all.hasNext()) {
                    var found = all.next();
                    Place place = found.value;
                    if (!place.absent && today - place.lastDay >= ABSENT_DAYS) {
                        place.absent = true;
                        places.put(found.key, place);
                        String said = place.figures(found.key, today - place.lastDay);
                        context.forward(new Record<>(found.key.split("/")[0], said, atMs));
                    }
                }
            }
        }
    }

    private static Activity read(ObjectReader reader, byte[] bytes) {
        try {
            return reader.readValue(bytes);
        } catch (IOException error) {
            throw new UncheckedIOException(error);
        }
    }

    private static Topology topology(String events, String figures, long records) {
        ObjectReader reader = new ObjectMapper().readerFor(Activity.class);
        Report report = new Report(records);
        var store = Stores.keyValueStoreBuilder(
                Stores.persistentKeyValueStore(STORE), Serdes.String(), new PlaceSerde());
        return new Topology()
                .addSource(
                        AutoOffsetReset.earliest(),
                        "events",
                        (record, before) -> ((Activity) record.value()).moment(),
                        Serdes.String().deserializer(),
                        (topic, bytes) -> read(reader, bytes),
                        events)
                .addProcessor("count", () -> new Counting(report), "events")
                .addStateStore(store.withCachingEnabled(), "count")
                .addSink("figures", figures, Serdes.String().serializer(), Serdes.String().serializer(), "count");
    }

    public static void main(String[] given) {
        String bootstrap = given[0];
        String topic = given[1];
        String name = given[3];
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, name);
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, bootstrap);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, given[4]);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(ConsumerConfig.MAX_POLL_RECORDS_CONFIG, 5_000);
        KafkaStreams streams =
                new KafkaStreams(topology(topic, name + "-figures", Long.parseLong(given[2])), settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
