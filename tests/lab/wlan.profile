# A radio link: 2 ms to win the channel for half of the packets, more for others; one in seven is lost.
name wlan
samples 1000
loss-level 0.86
bw 10Mbit/s
prob    delay
0       2
0.5     2
0.5     3
0.8     10
0.9     13
1       13
