"""Recordings as rosbag2, read and written without ROS through the rosbags library."""
