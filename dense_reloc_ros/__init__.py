"""Visual relocalization for robots: sparse-to-dense matching and the Neural Reprojection Error.

Nothing outside `dense_reloc_ros.nodes` imports ROS. The steps of the pipeline are the folders
`features`, `retrieval`, `matching` and `pose`; `localizer` runs them in this order.
"""

__version__ = "0.1.0"
